//! `Pipfile.lock`: what it locks, as a requirement file, and whether it still fits its `Pipfile`; and a `Pipfile` without one.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value as Json, json};
use ship_core::Digest;
use toml::Table;

use super::error::PythonError;
use super::requirements::RequirementFile;
use crate::pypi::DEFAULT_INDEX;

/// The tables of a `Pipfile` that are packages of no group, or none at all.
const OTHER_TABLES: [&str; 7] = ["source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv"];

/// The keys of a package in a `Pipfile` that each say where it is wanted.
const MARKERS: [&str; 5] = ["os_name", "platform_machine", "platform_system", "python_version", "sys_platform"];

/// What a `Pipfile` in `folder` asks for, where no lock file says which versions that are.
pub(super) fn unlocked(pipfile: &Table, folder: &Path) -> String {
    let package = |(name, package): (&String, &toml::Value)| (name.clone(), described(package));
    let packages: Map<String, Json> =
        pipfile.get("packages").and_then(toml::Value::as_table).into_iter().flatten().map(package).collect();
    let sources = pipfile.get("source").map_or(Json::Null, as_json);
    requirements_of(&sources, &packages, folder)
}

/// A package of a `Pipfile` as a lock file would have it: a version alone is its text.
fn described(package: &toml::Value) -> Json {
    let mut described = match package {
        toml::Value::String(version) => return json!({ "version": version }),
        package => as_json(package),
    };
    let said = |key: &&str| Some(format!("{key} {}", package.get(*key)?.as_str()?));
    let markers: Vec<String> = MARKERS.iter().filter_map(said).collect();
    if !markers.is_empty() && described["markers"].is_null() {
        described["markers"] = markers.join(" and ").into();
    }
    described
}

/// What a lock file of pipenv in `folder` locks.
pub(super) fn requirements(file: &RequirementFile, folder: &Path) -> Result<String, PythonError> {
    let wrong = |message: String| PythonError::NotJson { file: file.shown.clone(), message };
    let lock: Json = serde_json::from_str(&file.text).map_err(|error| wrong(error.to_string()))?;
    let packages = lock["default"].as_object().ok_or_else(|| wrong("it has no `default` packages".to_owned()))?;
    Ok(requirements_of(&lock["_meta"]["sources"], packages, folder))
}

fn requirements_of(sources: &Json, packages: &Map<String, Json>, folder: &Path) -> String {
    let mut text = String::new();
    for source in sources.as_array().into_iter().flatten() {
        if let Some(url) = source["url"].as_str() {
            // The first one is where packages come from, the others are asked too.
            let option = if text.is_empty() { "--index-url" } else { "--extra-index-url" };
            // Pipenv writes the public index into every lock file: it says no more than not to say anything.
            if url.trim_end_matches('/') != DEFAULT_INDEX {
                let _ = writeln!(text, "{option} {url}");
            }
        }
    }
    for (name, package) in packages {
        requirement(name, package, folder, &mut text);
    }
    text
}

fn requirement(name: &str, package: &Json, folder: &Path, text: &mut String) {
    let extras: Vec<&str> = package["extras"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    let value = |key: &str| package[key].as_str();
    let version = match (value("git"), value("path"), value("file"), value("version")) {
        (Some(git), ..) => format!(" @ git+{git}@{}", value("ref").unwrap_or("HEAD")),
        (None, Some(path), ..) => format!(" @ file://{}", folder.join(path).display()),
        (None, None, Some(url), _) => format!(" @ {url}"),
        // A package of other systems is locked as any version.
        (None, None, None, version) => version.filter(|version| *version != "*").unwrap_or_default().to_owned(),
    };
    let _ = write!(text, "{name}{extras}{version}");
    if let Some(markers) = value("markers") {
        let _ = write!(text, " ; {markers}");
    }
    for hash in package["hashes"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        let _ = write!(text, " --hash={hash}");
    }
    text.push('\n');
}

/// Whether `lock` was made for another `Pipfile` than this one, by the digest that pipenv keeps of it.
pub(super) fn is_out_of_date(lock: &RequirementFile, pipfile: &Table) -> bool {
    let lock: Json = serde_json::from_str(&lock.text).unwrap_or_default();
    lock["_meta"]["hash"]["sha256"].as_str().is_some_and(|known| known != digest(pipfile))
}

/// The digest of a `Pipfile` as pipenv computes it: of its content as JSON, with sorted keys and no spaces.
fn digest(pipfile: &Table) -> String {
    let table = |name: &str| pipfile.get(name).map_or_else(|| json!({}), as_json);
    let public = || json!([{ "name": "pypi", "url": DEFAULT_INDEX, "verify_ssl": true }]);
    let mut content = Map::new();
    let sources = pipfile.get("source").map_or_else(public, as_json);
    content.insert("_meta".to_owned(), json!({ "requires": table("requires"), "sources": sources }));
    content.insert("default".to_owned(), table("packages"));
    content.insert("develop".to_owned(), table("dev-packages"));
    let groups = pipfile.iter().filter(|(name, _)| !OTHER_TABLES.contains(&name.as_str()));
    content.extend(groups.map(|(name, group)| (name.clone(), as_json(group))));
    let mut content = Json::Object(content);
    content.sort_all_objects();
    Digest::of(content.to_string().as_bytes()).to_hex()
}

fn as_json(value: &toml::Value) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> RequirementFile {
        RequirementFile { shown: "Pipfile.lock".into(), text: text.into() }
    }

    /// A lock of pipenv says as much as a requirement file.
    #[test]
    fn as_requirements() {
        let text = r#"{"_meta":{"sources":[{"url":"https://pypi.org/simple"}]},"default":{
            "flask":{"hashes":["sha256:ab","sha256:cd"],"version":"==3.0.0","markers":"python_version >= '3.8'"},
            "colorama":{"markers":"sys_platform == 'win32'","version":"*"},
            "words":{"editable":true,"path":"./libs/words"},
            "x":{"extras":["y"],"git":"https://example.com/x.git","ref":"0a1b"}},"develop":{"pytest":{"version":"==8"}}}"#;
        assert_eq!(
            requirements(&file(text), Path::new("/site")).unwrap(),
            "flask==3.0.0 ; python_version >= '3.8' --hash=sha256:ab --hash=sha256:cd\n\
             colorama ; sys_platform == 'win32'\n\
             words @ file:///site/./libs/words\n\
             x[y] @ git+https://example.com/x.git@0a1b\n"
        );
    }

    /// A Pipfile alone says which packages, and of some which versions and where.
    #[test]
    fn without_a_lock() {
        let text = "[[source]]\nurl = \"https://pypi.org/simple\"\n[packages]\nflask = \"*\"\ncowpy = \"==1.1\"\n\
                    uvicorn = {extras = [\"standard\"], version = \"~=0.30\"}\n\
                    colorama = {version = \"*\", sys_platform = \"== 'win32'\"}\n[dev-packages]\npytest = \"*\"\n";
        assert_eq!(
            unlocked(&text.parse().unwrap(), Path::new("/site")),
            "flask\ncowpy==1.1\nuvicorn[standard]~=0.30\ncolorama ; sys_platform == 'win32'\n"
        );
        assert_eq!(unlocked(&"[requires]\npython_version = \"3.11\"".parse().unwrap(), Path::new("/site")), "");
    }

    /// The digest is the one that pipenv itself has written for this file.
    #[test]
    fn out_of_date() {
        let pipfile = |version: &str| {
            let text = format!(
                "[[source]]\nurl = \"https://pypi.org/simple\"\nverify_ssl = true\nname = \"pypi\"\n\n[packages]\n\
                 idna = \"=={version}\"\nrequests = {{version = \"==2.32.3\", extras = [\"socks\"]}}\n\
                 colorama = {{version = \"*\", markers = \"sys_platform == 'win32'\"}}\n\n[dev-packages]\nsix = \"*\"\n\n\
                 [requires]\npython_version = \"3.11\"\n"
            );
            text.parse::<Table>().unwrap()
        };
        let digest = "a47e34b28bea80f7deb77ecc9af9c41540a55ba612243b8c868af5a5a498076c";
        let lock = file(&json!({ "_meta": { "hash": { "sha256": digest } }, "default": {} }).to_string());
        assert!(!is_out_of_date(&lock, &pipfile("3.7")));
        assert!(is_out_of_date(&lock, &pipfile("3.8")));
    }
}
