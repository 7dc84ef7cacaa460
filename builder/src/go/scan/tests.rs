//! Reading Go files.

use proptest::prelude::*;

use super::*;

fn handler(source: &str) -> Option<String> {
    scan(source).handler.map(|handler| format!("{}:{}", handler.name, handler.line))
}

/// A handler is known by its parameters, however they are called and however `net/http` is.
#[test]
fn handlers() {
    let file = |import: &str, function: &str| format!("package handler\n\nimport {import}\n\n{function}\n");
    for (import, function) in [
        (r#""net/http""#, "func Handler(w http.ResponseWriter, r *http.Request) {}"),
        (r#""net/http""#, "func Handler(\n\tw http.ResponseWriter,\n\tr *http.Request,\n) {}"),
        (r#""net/http""#, "func Handler(http.ResponseWriter, *http.Request) {}"),
        (r#""net/http""#, "func Handler(_ http.ResponseWriter, _ * http.Request) {}"),
        (r#"web "net/http""#, "func Handler(w web.ResponseWriter, r *web.Request) {}"),
        (r#". "net/http""#, "func Handler(w ResponseWriter, r *Request) {}"),
        ("(\n\t\"fmt\"\n\tweb `net/http`\n)", "func Handler(w web.ResponseWriter, r *web.Request) {}"),
    ] {
        let source = file(import, function);
        assert!(scan(&source).handler.is_some_and(|handler| handler.name == "Handler"), "{source}");
    }
}

/// What is no exported function of that shape is none, also when it stands in a comment, a string or another function.
#[test]
fn what_is_no_handler() {
    for function in [
        "func handler(w http.ResponseWriter, r *http.Request) {}",
        "func (s Site) Handler(w http.ResponseWriter, r *http.Request) {}",
        "func Handler[T any](w http.ResponseWriter, r *http.Request) {}",
        "func Handler(w http.ResponseWriter) {}",
        "func Handler(w http.ResponseWriter, r http.Request) {}",
        "func Handler(w http.ResponseWriter, r *http.Request, n int) {}",
        "func Handler(w other.ResponseWriter, r *other.Request) {}",
        "// func Handler(w http.ResponseWriter, r *http.Request) {}",
        "/*\nfunc Handler(w http.ResponseWriter, r *http.Request) {}\n*/",
        "var a = `\nfunc Handler(w http.ResponseWriter, r *http.Request) {}\n`",
        "var a = \"\\\"; func Handler(w http.ResponseWriter, r *http.Request) {}\"",
        "var a = func(w http.ResponseWriter, r *http.Request) {}",
        "func x() { type t struct{}; func Handler(w http.ResponseWriter, r *http.Request) {} }",
    ] {
        let source = format!("package handler\nimport \"net/http\"\n{function}\n");
        assert_eq!(handler(&source), None, "{source}");
    }
}

/// The first handler of a file is the function; strange characters before it do not hide it.
#[test]
fn the_first_one() {
    let source = "package handler\nimport \"net/http\"\nvar q, b = '\\'', '{'\nfunc A() {}\n\
                  func B(w http.ResponseWriter, r *http.Request) {}\nfunc C(w http.ResponseWriter, r *http.Request) {}\n";
    assert_eq!(handler(source).as_deref(), Some("B:5"));
}

/// Imports, embedded files, the package's name and a `main` are found with their places.
#[test]
fn everything_else() {
    let source = "// Package x.\npackage handler\n\nimport (\n\t_ \"embed\"\n\tm \"example.com/m\"\n)\nimport \"fmt\"\n\n\
                  //go:embed all:static \"with space.txt\"\n//go:embed a/*.html\nvar files embed.FS\n\n\
                  // go:embed not-this\nfunc main() { fmt.Println(m.X) }\n";
    let file = scan(source);
    assert_eq!(file.package, "handler");
    assert_eq!(&source[file.package_place.clone()], "handler");
    assert_eq!(&source[file.main_place.clone().unwrap()], "main");
    assert_eq!(file.imports, ["embed", "example.com/m", "fmt"]);
    assert_eq!(file.embeds, ["static", "with space.txt", "a/*.html"]);
    assert_eq!(file.handler, None);
}

proptest! {
    /// No text, Go or not, makes the reader fail.
    #[test]
    fn never_fails(source in "(func|package|import|main|http|//|/\\*|`|\"|'|\\\\|\\(|\\)|\\{|\\}|é|\n| |,|\\*|\\.|[a-zA-Z0-9]){0,60}") {
        scan(&source);
    }
}
