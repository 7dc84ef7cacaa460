//! A project that is a server as a whole: `FastAPI`, Flask, Django and their kin, found where each of them is usually begun.

use std::path::Path;

use toml::Table;

use super::error::PythonError;
use super::scan::{imports, scan};
use super::sources::is_python_project;
use crate::detect::{DetectError, NearServer, ServerLack};

/// Where applications are looked for, in this order, and under which names.
const FOLDERS: [&str; 3] = ["", "src/", "app/"];
const NAMES: [&str; 6] = ["app", "index", "server", "main", "wsgi", "asgi"];

/// Frameworks whose applications have routes of their own for a whole site.
const FRAMEWORKS: [&str; 10] =
    ["blacksheep", "django", "falcon", "fastapi", "fasthtml", "flask", "litestar", "quart", "sanic", "starlette"];

/// The files in which a framework may be named.
const REQUIREMENT_FILES: [&str; 5] =
    ["Pipfile", "api/requirements.txt", "pyproject.toml", "requirements.txt", "requirements.in"];

/// What answers all requests of a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SiteEntry {
    /// The file, relative to the folder that `api/` would stand in.
    pub(crate) file: String,
    /// What of it answers.
    pub(crate) variable: String,
}

/// Finds the server in `base`. `read` reads one of its files.
pub(crate) fn site_entry(
    base: &Path,
    read: &dyn Fn(&str) -> Result<String, DetectError>,
) -> Result<Option<SiteEntry>, DetectError> {
    if !is_python_project(base) {
        return Ok(None);
    }
    if let Some(entry) = configured(base, read)? {
        return Ok(Some(entry));
    }
    for folder in FOLDERS {
        for name in NAMES {
            let file = format!("{folder}{name}.py");
            if !base.join(&file).is_file() {
                continue;
            }
            let found = scan(&file, &read(&file)?);
            if !found.errors.is_empty() {
                return Err(PythonError::Syntax { errors: found.errors }.into());
            }
            if let Some(variable) = found.variable {
                return Ok(Some(SiteEntry { file, variable }));
            }
        }
    }
    django(base, read)
}

/// A framework's application that stands where such applications are begun, in a folder that does not say what it depends on.
pub(crate) fn near_server(base: &Path) -> Option<NearServer> {
    if is_python_project(base) {
        return None;
    }
    let files = FOLDERS.iter().flat_map(|folder| NAMES.iter().map(move |name| format!("{folder}{name}.py")));
    files.filter(|file| base.join(file).is_file()).find_map(|file| {
        let text = std::fs::read_to_string(base.join(&file)).ok()?;
        scan(&file, &text).variable?;
        let framework_of = |line: &str| FRAMEWORKS.into_iter().find(|framework| imports(line, framework));
        let (line, framework) =
            text.lines().enumerate().find_map(|(index, line)| Some((index + 1, framework_of(line)?)))?;
        Some(NearServer { file, line, lack: ServerLack::Requirements(framework) })
    })
}

/// Whether `file`, the only function of a project, is the server of its whole site: a framework's application that stands
/// where such applications are begun.
pub(crate) fn is_server(base: &Path, file: &str) -> bool {
    let is_usual = NAMES.iter().any(|name| file == format!("api/{name}.py"));
    is_usual
        && REQUIREMENT_FILES
            .iter()
            .any(|name| std::fs::read_to_string(base.join(name)).is_ok_and(|text| names_framework(&text)))
}

fn names_framework(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).any(|word| FRAMEWORKS.contains(&word))
}

/// `entrypoint = "module:variable"` in `[tool.vercel]` or `[tool.ship]` of `pyproject.toml`, or the script `app` of the project,
/// which is how Vercel was told before.
fn configured(
    base: &Path,
    read: &dyn Fn(&str) -> Result<String, DetectError>,
) -> Result<Option<SiteEntry>, DetectError> {
    const FILE: &str = "pyproject.toml";
    if !base.join(FILE).is_file() {
        return Ok(None);
    }
    let text = read(FILE)?;
    // What is wrong with it is said when what it asks for is read.
    let table: Table = text.parse().unwrap_or_default();
    let tool = |name: &str| table.get("tool")?.get(name)?.get("entrypoint")?.as_str().map(str::to_owned);
    let script = || table.get("project")?.get("scripts")?.get("app")?.as_str().map(str::to_owned);
    let (key, entry) = match tool("ship").or_else(|| tool("vercel")) {
        Some(entry) => ("entrypoint", entry),
        // A program of that name may be no application.
        None => match script().filter(|entry| names_application(base, entry)) {
            Some(entry) => ("app", entry),
            None => return Ok(None),
        },
    };
    let line = text.lines().position(|line| line.trim_start().starts_with(key)).unwrap_or(0) + 1;
    let wrong =
        |reason: String| DetectError::PythonEntry { place: format!("{FILE}:{line}"), entry: entry.clone(), reason };
    let Some((module, variable)) = entry.split_once(':') else {
        return Err(wrong("expected `module:variable`, as in `main:app`".to_owned()));
    };
    match module_file(base, module) {
        Some(file) => Ok(Some(SiteEntry { file, variable: variable.to_owned() })),
        None => Err(wrong(format!("there is no `{}.py`", module.replace('.', "/")))),
    }
}

/// Whether `module:variable` is what answers in its module.
fn names_application(base: &Path, entry: &str) -> bool {
    let Some((module, variable)) = entry.split_once(':') else { return false };
    let text =
        module_file(base, module).map(|file| (std::fs::read_to_string(base.join(&file)).unwrap_or_default(), file));
    text.is_some_and(|(text, file)| {
        names_framework(&text) && scan(&file, &text).variable.is_some_and(|found| found == variable)
    })
}

/// The file of a module, which may be a package.
fn module_file(base: &Path, module: &str) -> Option<String> {
    let path = module.replace('.', "/");
    let candidates =
        ["", "src/"].iter().flat_map(|folder| [format!("{folder}{path}.py"), format!("{folder}{path}/__init__.py")]);
    candidates.into_iter().find(|file| base.join(file).is_file())
}

/// The application that the settings of a Django project name: `manage.py` names the settings.
fn django(base: &Path, read: &dyn Fn(&str) -> Result<String, DetectError>) -> Result<Option<SiteEntry>, DetectError> {
    if !base.join("manage.py").is_file() {
        return Ok(None);
    }
    let manage = read("manage.py")?;
    let Some(settings) = string_behind(&manage, "DJANGO_SETTINGS_MODULE") else { return Ok(None) };
    let text = module_file(base, &settings).map(|file| read(&file)).transpose()?.unwrap_or_default();
    let package = settings.split('.').next().unwrap_or(&settings).to_owned();
    let named = string_behind(&text, "WSGI_APPLICATION").or_else(|| string_behind(&text, "ASGI_APPLICATION"));
    let named = named.unwrap_or_else(|| format!("{package}.wsgi.application"));
    let Some((module, variable)) = named.rsplit_once('.') else { return Ok(None) };
    Ok(module_file(base, module).map(|file| SiteEntry { file, variable: variable.to_owned() }))
}

/// The string that stands behind a name, in `NAME = "…"` or `f("NAME", "…")`.
fn string_behind(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.find_map(|line| {
        let (_, behind) = line.split_once(name)?;
        let behind = behind.trim_start_matches(['"', '\'', ' ', ',', '=']);
        let end = behind.find(['"', '\''])?;
        let value = &behind[..end];
        let is_path = !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        is_path.then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::TestProject;

    /// The server of a project of these files: name, file and what of the file answers.
    fn server(files: &[(&str, &str)]) -> Vec<String> {
        let config = TestProject::new(files.iter().copied()).detect().unwrap();
        let entry = |entry: &super::super::PythonEntry| format!("{} {} {:?}", entry.name, entry.file, entry.variable);
        config.python.iter().map(entry).collect()
    }

    /// The usual places, in their order, of projects that are Python projects.
    #[test]
    fn usual_places() {
        let requirements = ("requirements.txt", "fastapi\n");
        let app = "from fastapi import FastAPI\napp = FastAPI()\n";
        assert_eq!(server(&[requirements, ("main.py", app)]), ["index main.py Some(\"app\")"]);
        assert_eq!(
            server(&[requirements, ("src/server.py", app), ("app/main.py", app)]),
            ["index src/server.py Some(\"app\")"]
        );
        assert_eq!(server(&[requirements, ("app.py", "x = 1"), ("main.py", app)]), ["index main.py Some(\"app\")"]);
        assert_eq!(server(&[("main.py", app), ("index.html", "")]), [""; 0]);
        assert_eq!(server(&[requirements, ("main.py", app), ("api/a.py", app)]), ["api/a api/a.py Some(\"app\")"]);
    }

    /// A project may say which application is its server.
    #[test]
    fn configured() {
        let pyproject = "[project]\nname = \"x\"\n\n[tool.vercel]\nentrypoint = \"site.web:create.app\"\n";
        let files = [("pyproject.toml", pyproject), ("src/site/web.py", ""), ("main.py", "app = 1")];
        assert_eq!(server(&files), ["index src/site/web.py Some(\"create.app\")"]);
        let error = TestProject::new([("pyproject.toml", pyproject)]).detect().unwrap_err();
        assert_eq!(
            error.to_string(),
            "pyproject.toml:5: `site.web:create.app` names no application: there is no `site/web.py`"
        );
    }

    /// The older way to say it, which is no more than a program's name where nothing answers there.
    #[test]
    fn script_of_the_project() {
        let pyproject = "[project]\nname = \"x\"\nscripts.app = \"backend.web:app\"\n";
        let app = "from flask import Flask\napp = Flask(__name__)\n";
        let files = [("pyproject.toml", pyproject), ("backend/web.py", app)];
        assert_eq!(server(&files), ["index backend/web.py Some(\"app\")"]);
        let files = [("pyproject.toml", pyproject), ("backend/web.py", "def app(): print(1)\n"), ("index.html", "")];
        assert_eq!(server(&files), [""; 0]);
    }

    /// Django names its application in its settings.
    #[test]
    fn django() {
        let manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n";
        let settings = "# WSGI_APPLICATION = 'no.no'\nWSGI_APPLICATION = 'mysite.web.application'\n";
        let files = [("manage.py", manage), ("mysite/settings.py", settings), ("mysite/web.py", "")];
        assert_eq!(server(&files), ["index mysite/web.py Some(\"application\")"]);
        let files = [("manage.py", manage), ("mysite/settings.py", ""), ("mysite/wsgi.py", "")];
        assert_eq!(server(&files), ["index mysite/wsgi.py Some(\"application\")"]);
    }
}
