//! What the bundler says, for a person: file, line and column, the line itself, and what to type.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rolldown_error::{BuildDiagnostic, DiagnosticOptions, EventKind};

use super::alias;
use super::jsx::first_element;
use super::place::{package_folder, package_name, relative};
use crate::excerpt::excerpt;

/// The most messages that are passed on: who has more to mend mends these first.
const MAX_MESSAGES: usize = 20;

/// The longest line that is shown, in characters: longer ones were written by a program.
const MAX_SHOWN_LINE: usize = 240;

/// Functions could not be bundled.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There are mistakes in the functions, or in what they import.
    #[error("the functions cannot be bundled:\n{message}")]
    Refused {
        /// What is wrong, with the user's paths.
        message: String,
    },
    /// A package is imported that is not installed.
    #[error("{message}")]
    NotInstalled {
        /// Which, where, and what to do.
        message: String,
        /// The command that helps.
        command: String,
    },
    /// The bundler itself failed.
    #[error("the bundler failed: {message}")]
    Failed {
        /// What it says.
        message: String,
    },
}

/// An import that cannot be had, as a file has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct RefusedImport {
    pub(super) file: PathBuf,
    pub(super) specifier: String,
    pub(super) why: String,
}

/// Who reads a message, and what is there.
pub(super) struct Reader<'r> {
    /// The project, which paths are shown relative to.
    pub(super) project: &'r Path,
    /// The folder that `package.json` stands in.
    pub(super) base: &'r Path,
}

impl Reader<'_> {
    /// What the bundler found wrong, as one error.
    pub(super) fn error(&self, diagnostics: &[BuildDiagnostic]) -> BundleError {
        let mut messages: Vec<String> = Vec::new();
        let mut missing: Vec<String> = Vec::new();
        for diagnostic in diagnostics {
            if let Some(package) = Self::missing_package(diagnostic)
                && !missing.contains(&package)
            {
                missing.push(package);
            }
            let message = self.message(diagnostic);
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        messages.sort();
        if messages.len() > MAX_MESSAGES {
            let more = messages.len() - MAX_MESSAGES;
            messages.truncate(MAX_MESSAGES);
            messages.push(format!("… and {more} more messages"));
        }
        let message = messages.join("\n");
        if missing.is_empty() {
            return BundleError::Refused { message };
        }
        missing.sort();
        let manager = Manager::of(self.project, self.base);
        BundleError::NotInstalled { message, command: manager.command(self.base, &missing) }
    }

    /// The installed package that something is wrong with, if it is not the functions' own files: Node may take it as it is.
    pub(super) fn package_at_fault(&self, diagnostic: &BuildDiagnostic) -> Option<String> {
        let file = match diagnostic.kind() {
            // It is said of who requires the file, and names the file.
            EventKind::RequireTlaError => {
                let options = DiagnosticOptions { cwd: self.project.to_owned() };
                PathBuf::from(diagnostic.to_message_with(&options).split('"').nth(1)?)
            }
            _ => file_of(&diagnostic.id()?),
        };
        package_folder(&file).map(|(_, name)| name)
    }

    /// What is wrong with imports that cannot be had, in the order of their places.
    pub(super) fn refused(&self, imports: &BTreeSet<RefusedImport>) -> BundleError {
        let mut messages: Vec<_> = imports.iter().map(|import| self.refused_message(import)).collect();
        messages.sort();
        let messages: Vec<String> = messages.into_iter().take(MAX_MESSAGES).map(|(.., message)| message).collect();
        BundleError::Refused { message: messages.join("\n") }
    }

    /// The file and the place in it, and the message.
    fn refused_message(&self, RefusedImport { file, specifier, why }: &RefusedImport) -> (String, usize, String) {
        let shown = relative(self.project, file);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let quoted = [format!("\"{specifier}\""), format!("'{specifier}'")];
        let Some(place) = quoted.iter().find_map(|quoted| text.find(quoted.as_str())) else {
            let message = format!("{shown}: {why}");
            return (shown, 0, message);
        };
        let line = text[..place].matches('\n').count();
        let column = text[..place].rsplit('\n').next().unwrap_or_default().chars().count();
        let message = format!("{shown}:{}:{}: {why}{}", line + 1, column + 1, pointed_at(&text, line, column));
        (shown, place, message)
    }

    fn message(&self, diagnostic: &BuildDiagnostic) -> String {
        let options = DiagnosticOptions { cwd: self.project.to_owned() };
        let shown = diagnostic.to_diagnostic_with(&options);
        let text = match Self::missing_package(diagnostic) {
            Some(package) => format!("the package `{package}` is not installed"),
            None => match (diagnostic.kind(), diagnostic.exporter()) {
                (EventKind::UnresolvedImport, Some(path)) => {
                    let importer = diagnostic.id().map(|id| file_of(&id));
                    let looked = importer.and_then(|importer| alias::looked_for(self.project, &importer, &path));
                    format!("`{path}` leads to no file{}", looked.map(|it| format!(": {it}")).unwrap_or_default())
                }
                _ => diagnostic.to_message_with(&options),
            },
        };
        let Some((file, line, column, _)) = shown.get_primary_location() else {
            return self.made_of_jsx(diagnostic, text);
        };
        let source = std::fs::read_to_string(self.project.join(&file)).unwrap_or_default();
        let (line, column) = written_place(&source, line - 1, column);
        format!("{file}:{}:{}: {text}{}", line + 1, column + 1, pointed_at(&source, line, column))
    }

    /// The message about an import that stands nowhere in a source, as far as JSX is what it was made of.
    fn made_of_jsx(&self, diagnostic: &BuildDiagnostic, text: String) -> String {
        let importer = matches!(diagnostic.kind(), EventKind::UnresolvedImport).then(|| diagnostic.id());
        let Some(file) = importer.flatten().map(|id| file_of(&id)) else { return text };
        let source = std::fs::read_to_string(&file).unwrap_or_default();
        let file = relative(self.project, &file);
        match first_element(&source) {
            Some((line, column)) => {
                let excerpt = pointed_at(&source, line, column);
                format!("{file}:{}:{}: {text}, which JSX needs{excerpt}", line + 1, column + 1)
            }
            None => format!("{file}: {text}"),
        }
    }

    /// The package that an import names and nothing provides.
    fn missing_package(diagnostic: &BuildDiagnostic) -> Option<String> {
        if !matches!(diagnostic.kind(), EventKind::UnresolvedImport) {
            return None;
        }
        let specifier = diagnostic.exporter()?;
        let name = package_name(&specifier)?.to_owned();
        // `@/lib/x` is a path of tsconfig.json that leads nowhere, and so is whatever else stands there.
        let is_named = || diagnostic.id().is_some_and(|id| alias::is_named(&file_of(&id), &specifier));
        (!alias::is_no_package(&name) && !is_named()).then_some(name)
    }
}

/// The program that installs a project's packages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manager {
    Npm,
    Pnpm,
    Yarn,
    Bun,
}

impl Manager {
    /// The one whose lock file stands nearest above the functions.
    fn of(project: &Path, base: &Path) -> Self {
        let locks = [
            ("package-lock.json", Self::Npm),
            ("pnpm-lock.yaml", Self::Pnpm),
            ("yarn.lock", Self::Yarn),
            ("bun.lock", Self::Bun),
            ("bun.lockb", Self::Bun),
        ];
        let folders = base.ancestors().take_while(|folder| folder.starts_with(project));
        let mut found = folders.filter_map(|folder| locks.iter().find(|(lock, _)| folder.join(lock).is_file()));
        found.next().map_or(Self::Npm, |(_, manager)| *manager)
    }

    /// What to type: install what is asked for in `package.json`, or ask for it.
    fn command(self, base: &Path, missing: &[String]) -> String {
        let package = super::external::read_package(base);
        let is_asked_for = |name: &String| {
            ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]
                .iter()
                .any(|key| package.as_ref().is_some_and(|package| package[key].get(name).is_some()))
        };
        let (install, add, has_lock) = match self {
            Self::Npm => ("npm ci", "npm install", base.join("package-lock.json").is_file()),
            Self::Pnpm => ("pnpm install", "pnpm add", true),
            Self::Yarn => ("yarn install", "yarn add", true),
            Self::Bun => ("bun install", "bun add", true),
        };
        if missing.iter().all(is_asked_for) {
            return if has_lock { install } else { "npm install" }.to_owned();
        }
        let unknown: Vec<&str> = missing.iter().filter(|name| !is_asked_for(name)).map(String::as_str).collect();
        format!("{add} {}", unknown.join(" "))
    }
}

/// A place in a source, counted from zero, or the end of what is written where it is behind that: a parser that misses something to the end
/// finds nothing on the line behind the last.
fn written_place(source: &str, line: usize, column: usize) -> (usize, usize) {
    match source.lines().enumerate().filter(|(_, written)| !written.trim().is_empty()).last() {
        Some((last, written)) if last < line => (last, written.trim_end().chars().count()),
        _ => (line, column),
    }
}

/// A line of `source` with a mark below one of its columns, both counted from 0; nothing if it is too long to be read.
fn pointed_at(source: &str, line: usize, column: usize) -> String {
    let Some(written) = source.lines().nth(line).filter(|written| written.chars().count() <= MAX_SHOWN_LINE) else {
        return String::new();
    };
    format!("\n{}", excerpt(written, line + 1, column, 1))
}

/// The file of a message, for whoever watches it.
pub(super) fn file_of(id: &str) -> PathBuf {
    PathBuf::from(id.split('?').next().unwrap_or(id))
}
