//! What the compiler says about the lines that ship puts behind a handler, said of the handler: nobody else has seen those lines.

/// What a handler is called.
pub(super) const HANDLER: &str = "handler";

/// How a handler looks.
const EXPECTED: &str = "expected `async fn handler(request: Request) -> Result<Response, Error>`";

/// The trait of what a handler takes.
pub(super) const TAKES: &str = "FromRequest";

/// The trait of what it returns.
pub(super) const RETURNS: &str = "Outcome";

/// What the type of a handler gets wrong, by the trait that the type lacks, and what was expected in its place.
const WRONG_TYPES: [(&str, &str, &str); 6] = [
    (TAKES, "takes", EXPECTED),
    (
        "FromBody",
        "takes a request with a body of the type",
        "expected `Bytes`, `String`, `Vec<u8>`, `()` or `Incoming`",
    ),
    (RETURNS, "returns", EXPECTED),
    ("Answer", "returns a `Result` of", EXPECTED),
    ("IntoBody", "answers with a body of the type", "expected `String`, `&'static str`, `Vec<u8>`, `Bytes` or `()`"),
    ("Display", "returns an error of the type", "expected one that implements `Display`"),
];

/// A file with a handler.
#[derive(Debug)]
pub(super) struct HandlerPlace {
    /// The file, as it is shown.
    pub(super) file: String,
    /// How many lines a person wrote.
    pub(super) lines: usize,
    /// The line and the column of the handler's name.
    pub(super) place: (usize, usize),
    /// That line, as all messages show it.
    pub(super) excerpt: String,
}

/// One error of the compiler, whose first line says what it is: as it is, or in other words where it is about generated lines.
pub(super) fn explained(block: Vec<String>, handlers: &[HandlerPlace]) -> Vec<String> {
    let Some(handler) = block.iter().find_map(|line| place(line)).and_then(|place| of_generated(place, handlers))
    else {
        return block;
    };
    let (line, column) = handler.place;
    let place = format!("{}:{line}:{column}", handler.file);
    match block.first().and_then(|first| wrong_type(first)) {
        // An empty line stands between errors.
        Some(words) => vec![format!("{place}: {words}"), handler.excerpt.clone(), String::new()],
        None => about_handler(&block, &place),
    }
}

/// What is wrong with the type of a handler, where the compiler misses one of ship's traits on it.
fn wrong_type(first: &str) -> Option<String> {
    let (found, missing) = match first.split_once("the trait bound `") {
        Some((_, bound)) => bound.split_once("` is not satisfied")?.0.rsplit_once(": ")?,
        None => first.split_once(": `")?.1.trim_end_matches('`').split_once("` doesn't implement `")?,
    };
    let missing = missing.rsplit_once("::").map_or(missing, |(_, name)| name);
    said_of_type(found, missing)
}

/// What is wrong with the type `found` of a handler, which lacks the trait `missing` of ship's.
pub(super) fn said_of_type(found: &str, missing: &str) -> Option<String> {
    let (_, what, expected) = WRONG_TYPES.iter().find(|(name, ..)| missing == *name)?;
    Some(format!("`{HANDLER}` {what} `{found}`: {expected}"))
}

/// An error of another kind, at the handler and without what it shows of lines that nobody wrote.
fn about_handler(block: &[String], place: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut is_shown = true;
    let mut rest = block.iter().peekable();
    if let Some(first) = rest.next() {
        lines.push(first.clone());
        lines.push(format!("  --> {place}"));
    }
    // What stands at the first place is generated.
    while rest.next_if(|line| !begins_part(line) && !line.is_empty()).is_some() {}
    while let Some(line) = rest.next() {
        if begins_part(line) {
            is_shown = !rest.peek().is_some_and(|next| next.contains("--> .ship-launcher/"));
        }
        if is_shown || line.is_empty() {
            lines.push(line.clone());
        }
    }
    lines
}

fn begins_part(line: &str) -> bool {
    ["note: ", "help: "].iter().any(|part| line.starts_with(part))
}

/// The file and the line of `  --> api/x.rs:4:5`.
fn place(line: &str) -> Option<(&str, usize)> {
    let mut parts = line.trim_start().strip_prefix("--> ")?.split(':');
    Some((parts.next()?, parts.next()?.parse().ok()?))
}

/// The handler behind which a line was generated.
fn of_generated<'h>((file, line): (&str, usize), handlers: &'h [HandlerPlace]) -> Option<&'h HandlerPlace> {
    handlers.iter().find(|handler| handler.file == file && line > handler.lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the lines that are behind the one that a person wrote, the compiler knows nothing that helps: what has the wrong type is said
    /// at the handler. What is about the person's own lines stays.
    #[test]
    fn wrong_types() {
        let said = |first: &str, line: usize| {
            let excerpt = " 2 | pub async fn handler".to_owned();
            let handlers = [HandlerPlace { file: "api/x.rs".into(), lines: 2, place: (2, 14), excerpt }];
            let note = ["note: required by a bound in `serve`", "  --> .ship-launcher/serve.rs:38:8"];
            let block = [first, &format!("  --> api/x.rs:{line}:5"), "   |", note[0], note[1], ""];
            explained(block.iter().map(ToString::to_string).collect(), &handlers).join("\n")
        };
        for (first, expected) in [
            (
                "error[E0277]: the trait bound `u32: FromRequest` is not satisfied",
                "takes `u32`: expected `async fn handler(request: Request) -> Result<Response, Error>`",
            ),
            (
                "error[E0277]: the trait bound `u32: ship_launcher::body::Outcome` is not satisfied",
                "returns `u32`: expected `async fn handler(request: Request) -> Result<Response, Error>`",
            ),
            (
                "error[E0277]: `Lost` doesn't implement `std::fmt::Display`",
                "returns an error of the type `Lost`: expected one that implements `Display`",
            ),
        ] {
            assert_eq!(said(first, 4), format!("api/x.rs:2:14: `handler` {expected}\n 2 | pub async fn handler\n"));
            assert!(said(first, 2).contains("api/x.rs:2:5"));
        }
    }
}
