//! The templates: what each is, and its files, which are embedded in the program.

use clap::ValueEnum;
use include_dir::{Dir, DirEntry, include_dir};
use minijinja::{AutoEscape, Environment, context};
use ship_core::ProjectName;

use super::writing::NewFile;
use crate::error::{CommandError, ErrorKind};

/// The files of all templates, in a folder for each, and those of the page that most of them show. What ends in `.j2` is rendered.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// How the name of a file ends that is rendered.
const RENDERED: &str = ".j2";

/// What a new project is made of.
#[expect(clippy::doc_markdown, reason = "the words are shown to people as they are")]
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Template {
    /// Page + Go
    Go,
    /// Page + TypeScript
    Typescript,
    /// Page + Python
    Python,
    /// Page + Rust
    Rust,
    /// Page + all four of them
    Polyglot,
    /// React by Vite + TypeScript
    ViteReact,
    /// Astro + TypeScript
    Astro,
    /// Page + FastAPI
    Fastapi,
    /// Page + Hono
    Hono,
}

/// Files of the shared page, and where they stand in a project.
const WHOLE_PAGE: [(&str, &str); 4] = [
    ("page/public/index.html.j2", "public/index.html.j2"),
    ("page/public/app.js", "public/app.js"),
    ("page/public/style.css", "public/style.css"),
    ("page/public/icon.svg", "public/icon.svg"),
];

impl Template {
    /// Its name, as it is written on a command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Typescript => "typescript",
            Self::Python => "python",
            Self::Rust => "rust",
            Self::Polyglot => "polyglot",
            Self::ViteReact => "vite-react",
            Self::Astro => "astro",
            Self::Fastapi => "fastapi",
            Self::Hono => "hono",
        }
    }

    /// What it is, in a few words.
    pub(crate) fn about(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| Some(value.get_help()?.to_string())).unwrap_or_default()
    }

    /// The language or framework that its function is written in, and the function's file.
    const fn function(self) -> (&'static str, &'static str) {
        match self {
            Self::Go => ("Go", "api/hello.go"),
            Self::Python => ("Python", "api/hello.py"),
            Self::Rust => ("Rust", "api/hello.rs"),
            Self::Fastapi => ("Python", "main.py"),
            Self::Hono => ("TypeScript", "src/index.ts"),
            Self::Typescript | Self::Polyglot | Self::ViteReact | Self::Astro => ("TypeScript", "api/hello.ts"),
        }
    }

    /// What it has of the shared page, and where.
    const fn shared(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Go | Self::Typescript | Self::Python | Self::Rust | Self::Fastapi | Self::Hono => &WHOLE_PAGE,
            Self::Polyglot => {
                &[("page/public/style.css", "public/style.css"), ("page/public/icon.svg", "public/icon.svg")]
            }
            Self::ViteReact => {
                &[("page/public/style.css", "src/style.css"), ("page/public/icon.svg", "public/icon.svg")]
            }
            Self::Astro => &[
                ("page/public/style.css", "src/style.css"),
                ("page/public/app.js", "src/app.js"),
                ("page/public/icon.svg", "public/icon.svg"),
            ],
        }
    }

    /// The files of a project called `name`, sorted by path.
    pub(crate) fn files(self, name: &ProjectName) -> Result<Vec<NewFile>, CommandError> {
        let mut sources = Vec::new();
        if let Some(folder) = FILES.get_dir(self.name()) {
            gather(folder, self.name(), &mut sources);
        }
        let shared = self.shared().iter().filter_map(|(from, to)| Some(((*to).to_owned(), FILES.get_file(from)?)));
        sources.extend(shared);
        let mut templates = Environment::new();
        // A project's name is a DNS label, and the rest are constants: there is nothing to escape in any language.
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        let (language, file) = self.function();
        let values = context! { name => name.as_str(), language, file };
        let mut files = Vec::with_capacity(sources.len());
        for (path, source) in sources {
            let text = source.contents_utf8().unwrap_or_default();
            let (path, content) = match path.strip_suffix(RENDERED) {
                Some(plain) => (plain.to_owned(), templates.render_str(text, &values).map(|text| text + "\n")),
                None => (path, Ok(text.to_owned())),
            };
            let content = content.map_err(|error| CommandError::new(ErrorKind::Host, error))?;
            files.push(NewFile { path, content });
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }
}

/// The files below a folder of [`FILES`], by their paths in it.
fn gather<'d>(folder: &'d Dir<'d>, template: &str, files: &mut Vec<(String, &'d include_dir::File<'d>)>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(folder) => gather(folder, template, files),
            DirEntry::File(file) => {
                let path = file.path().strip_prefix(template).unwrap_or(file.path());
                files.push((path.to_string_lossy().into_owned(), file));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every template has a README and a `.gitignore` with ship's own folder in it, no path twice, and nothing that was not rendered; and every
    /// folder is a template's, so none is forgotten.
    #[test]
    fn every_template() {
        let name: ProjectName = "night-train".parse().unwrap();
        for template in Template::value_variants() {
            let files = template.files(&name).unwrap();
            let find = |path: &str| &files.iter().find(|file| file.path == path).expect(path).content;
            assert!(find("README.md").starts_with("# night-train\n") && find("README.md").lines().count() <= 12);
            assert!(find(".gitignore").lines().any(|line| line == ".ship"), "{template:?}");
            assert!(files.windows(2).all(|pair| pair[0].path != pair[1].path), "{template:?}");
            assert!(files.iter().all(|file| !file.path.ends_with(RENDERED) && !file.content.is_empty()), "{files:#?}");
            assert_eq!(template.to_possible_value().unwrap().get_name(), template.name());
        }
        let folders = FILES.dirs().count();
        assert_eq!(folders, Template::value_variants().len() + 1, "a folder for each, and the shared page");
    }
}
