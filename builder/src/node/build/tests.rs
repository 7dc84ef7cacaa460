//! Whole builds of functions in TypeScript: artifacts, layers, and what is built again.

use std::collections::BTreeMap;

use zip::ZipArchive;

use crate::testing::TestProject;
use crate::{BlobSource, BuildError, BuildOutput, BundleError};

const WEB: &str = "import { day } from '../lib/day';\nexport const GET = () => new Response(day());\n";
const NODE: &str = "import { day } from '../lib/day.js';\nexport default (req, res) => res.send(day());\n";
const DAY: &str = "export const day = (): string => 'a day';\n";

fn project() -> TestProject {
    TestProject::new([("api/web.ts", WEB), ("api/node.js", NODE), ("lib/day.ts", DAY)])
}

/// The functions: name, digest, and whether the cache had it.
fn built(output: &BuildOutput) -> Vec<(String, String, bool)> {
    let shown =
        |built: &crate::BuiltFunction| (built.function.name.to_string(), built.function.digest.to_hex(), built.cached);
    output.functions().iter().map(shown).collect()
}

fn members(output: &BuildOutput, name: &str) -> BTreeMap<String, String> {
    let built = output.functions().iter().find(|built| built.function.name.as_str() == name).unwrap();
    let Some(BlobSource::File(file)) = output.blob_source(&built.function.digest) else {
        panic!("an artifact is a file")
    };
    let mut zip = ZipArchive::new(std::fs::File::open(file).unwrap()).unwrap();
    let mut members = BTreeMap::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let mut text = Vec::new();
        std::io::copy(&mut entry, &mut text).unwrap();
        members.insert(entry.name().unwrap().to_string(), String::from_utf8_lossy(&text).into_owned());
    }
    members
}

/// The same sources give the same artifacts in any folder, and nothing in them names the folder.
#[test]
fn the_same_sources_are_the_same_artifacts() {
    let (one, other) = (project(), project());
    let (one, other) = ((one.build().unwrap(), one), (other.build().unwrap(), other));
    assert_eq!(built(&one.0), built(&other.0));
    let root = one.1.root().display().to_string();
    for (name, text) in members(&one.0, "api/web") {
        assert!(!text.contains(&root) && !text.contains("/tmp"), "{name}: {text}");
    }
}

/// What has not changed is not bundled again; what changes is, and only what it changes is packed again.
#[test]
fn the_cache() {
    let project = TestProject::new([
        ("api/web.ts", WEB),
        ("api/alone.ts", "export default { fetch: () => new Response('alone') };"),
        ("lib/day.ts", DAY),
    ]);
    let cached = |output: &BuildOutput| built(output).into_iter().map(|(.., cached)| cached).collect::<Vec<_>>();
    let first = project.build().unwrap();
    assert_eq!(cached(&first), [false, false]);
    let second = project.build().unwrap();
    assert_eq!(cached(&second), [true, true]);
    assert_eq!(first.canonical_json(), second.canonical_json());

    project.write("lib/day.ts", &DAY.replace("a day", "another"));
    let third = project.build().unwrap();
    assert_eq!(cached(&third), [true, false], "alone does not import it");
    assert!(members(&third, "api/web")["_ship/api~web.mjs"].contains("another"));

    // What was there before is known, although it was touched.
    project.write("lib/day.ts", DAY);
    assert_eq!(built(&project.build().unwrap()), built(&second));
}

/// Whatever could lead an import elsewhere is looked at: another file, other paths, another package.
#[test]
fn what_imports_find() {
    let project = TestProject::new([
        (
            "api/a.ts",
            "import { a } from '../lib/a';\nimport { b } from '@lib/b';\nexport const GET = () => new Response(a + b);",
        ),
        ("lib/a/index.ts", "export const a = 'first a';"),
        ("lib/b.ts", "export const b = 'first b';"),
        ("other/b.ts", "export const b = 'other b';"),
        ("tsconfig.json", r#"{"extends":"./tsconfig.base.json"}"#),
        ("tsconfig.base.json", r#"{"compilerOptions":{"paths":{"@lib/*":["./lib/*"]}}}"#),
    ]);
    let text = || members(&project.build().unwrap(), "api/a")["_ship/api~a.mjs"].clone();
    let first = text();
    assert!(first.contains("first a") && first.contains("first b"), "{first}");
    project.write("lib/a.ts", "export const a = 'second a';");
    assert!(text().contains("second a"));
    project.write("tsconfig.base.json", r#"{"compilerOptions":{"paths":{"@lib/*":["./other/*"]}}}"#);
    assert!(text().contains("other b"));
}

/// Text, bytes and JSON can be imported; files that are read by their place are members.
#[test]
fn files_that_are_no_modules() {
    let project = TestProject::new([
        (
            "api/a.ts",
            "import fs from 'node:fs';\nimport words from './words.txt';\nimport { version } from '../settings.json';\n\
             export default { fetch: () => new Response(words + version + fs.readFileSync(new URL('./data.bin', import.meta.url))) };",
        ),
        ("api/words.txt", "some words"),
        ("api/data.bin", "some data"),
        ("settings.json", r#"{"version":"1.2.3","secret":"never shown"}"#),
    ]);
    let members = members(&project.build().unwrap(), "api/a");
    assert_eq!(
        members.keys().collect::<Vec<_>>(),
        ["_ship/api~a.mjs", "_ship/api~a.mjs.map", "api/data.bin", "launcher.mjs"]
    );
    let text = &members["_ship/api~a.mjs"];
    assert!(text.contains("some words") && text.contains("1.2.3") && !text.contains("never shown"), "{text}");
}

/// Files that `ship.toml` names travel along, and a change of one is seen.
#[test]
fn included_files() {
    let project = TestProject::new([
        ("api/a.ts", "export const GET = () => new Response('a');"),
        ("data/words.txt", "some words"),
        ("ship.toml", "[functions.\"api/a\"]\ninclude_files = [\"data/**\"]\n"),
    ]);
    let words = || members(&project.build().unwrap(), "api/a").remove("data/words.txt");
    assert_eq!([words(), words()], [Some("some words".to_owned()), Some("some words".to_owned())]);
    project.write("data/words.txt", "other words");
    assert_eq!(words().as_deref(), Some("other words"));
}

/// A package with compiled parts is not bundled: it travels in a layer, with what it needs, and who does not import it has none.
#[test]
fn packages_outside() {
    let project = TestProject::new([
        (
            "api/a.ts",
            "import native from 'native';\nimport pure from 'pure';\nexport const GET = () => new Response(native + pure);",
        ),
        ("api/b.ts", "import pure from 'pure';\nexport const GET = () => new Response(pure);"),
        (
            "node_modules/native/package.json",
            r#"{"name":"native","version":"1.0.0","gypfile":true,"dependencies":{"helps":"1"}}"#,
        ),
        ("node_modules/native/index.js", "module.exports = require('./build/native.node');"),
        ("node_modules/native/build/native.node", "machine code"),
        ("node_modules/helps/package.json", r#"{"name":"helps","version":"1.0.0"}"#),
        ("node_modules/helps/index.js", ""),
        ("node_modules/pure/package.json", r#"{"name":"pure","version":"1.0.0","main":"index.js"}"#),
        ("node_modules/pure/index.js", "module.exports = 'a pure package';"),
    ]);
    let output = project.build().unwrap();
    let layers: Vec<usize> = output.functions().iter().map(|built| built.function.layers.len()).collect();
    assert_eq!(layers, [1, 0]);
    let layer = &output.functions()[0].function.layers[0];
    assert_eq!(layer.mount.as_str(), "node_modules");
    let Some(BlobSource::File(file)) = output.blob_source(&layer.digest) else { panic!("a layer is a file") };
    let zip = ZipArchive::new(std::fs::File::open(file).unwrap()).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().to_string()).collect();
    let expected =
        ["helps/index.js", "helps/package.json", "native/build/native.node", "native/index.js", "native/package.json"];
    assert_eq!(names, expected.map(|name| format!("node_modules/{name}")));
    assert!(built(&project.build().unwrap())[0].2);
}

/// The names of what stands in the layer of a function; nothing if it has none.
fn in_layer(output: &BuildOutput, name: &str) -> Vec<String> {
    let built = output.functions().iter().find(|built| built.function.name.as_str() == name).unwrap();
    let Some(layer) = built.function.layers.first() else { return Vec::new() };
    let Some(BlobSource::File(file)) = output.blob_source(&layer.digest) else { panic!("a layer is a file") };
    let zip = ZipArchive::new(std::fs::File::open(file).unwrap()).unwrap();
    zip.file_names().map(|name| name.unwrap().to_string()).collect()
}

/// What a function does not want of the files that it reads, and of its packages, it does not get; what it wants of packages
/// stands among them, also where it imports none. What one function says is nothing to the others.
#[test]
fn exclusions_and_inclusions() {
    let reads = "import native from 'native';\nimport { readdirSync } from 'node:fs';\nimport { join } from 'node:path';\n\
                 export const GET = () => new Response(native + readdirSync(join(process.cwd(), 'data')));";
    let config = r#"{"functions": {
        "api/less.ts": {"excludeFiles": "{data/*.csv,node_modules/native/docs/**}"},
        "api/more.ts": {"includeFiles": "node_modules/fonts/**"}}}"#;
    let project = TestProject::new([
        ("api/all.ts", reads),
        ("api/less.ts", reads),
        ("api/more.ts", "export const GET = () => new Response('more');"),
        ("data/a.txt", "a"),
        ("data/large.csv", "1,2"),
        ("node_modules/native/package.json", r#"{"name":"native","version":"1.0.0","gypfile":true}"#),
        ("node_modules/native/index.js", "module.exports = require('./build/native.node');"),
        ("node_modules/native/build/native.node", "machine code"),
        ("node_modules/native/docs/index.html", "a page"),
        ("node_modules/fonts/sans.ttf", "a font"),
        ("vercel.json", config),
    ]);
    let output = project.build().unwrap();
    let data = |name: &str| -> Vec<String> {
        members(&output, name)
            .into_keys()
            .filter(|member| !member.starts_with("_ship") && member != "launcher.mjs")
            .collect()
    };
    let native = ["build/native.node", "docs/index.html", "index.js", "package.json"];
    let native = |left_out: &str| -> Vec<String> {
        let names = native.iter().filter(|name| **name != left_out);
        names.map(|name| format!("node_modules/native/{name}")).collect()
    };
    assert_eq!(
        (data("api/all"), in_layer(&output, "api/all")),
        (vec!["data/a.txt".into(), "data/large.csv".into()], native(""))
    );
    assert_eq!(
        (data("api/less"), in_layer(&output, "api/less")),
        (vec!["data/a.txt".into()], native("docs/index.html"))
    );
    assert_eq!((data("api/more"), in_layer(&output, "api/more")), (vec![], vec!["node_modules/fonts/sans.ttf".into()]));
    assert!(built(&project.build().unwrap()).iter().all(|(.., cached)| *cached));
}

/// A package that reads its own files gives itself away only in its sources, and stays outside too.
#[test]
fn a_package_that_reads_its_own_files() {
    let project = TestProject::new([
        ("api/a.js", "import { words } from 'reads';\nexport const GET = () => new Response(words);"),
        ("node_modules/reads/package.json", r#"{"name":"reads","version":"1.0.0","main":"index.js"}"#),
        (
            "node_modules/reads/index.js",
            "exports.words = require('fs').readFileSync(__dirname + '/words.txt', 'utf8');",
        ),
        ("node_modules/reads/words.txt", "words"),
    ]);
    let output = project.build().unwrap();
    assert_eq!(output.functions()[0].function.layers.len(), 1);
    assert!(members(&output, "api/a")["_ship/api~a.mjs"].contains("from \"reads\""));
}

/// Mistakes are shown with their places and lines; a package that is not there with what to type.
#[test]
fn mistakes() {
    let refused = |files: &[(&str, &str)]| match TestProject::new(files.iter().copied()).build().unwrap_err() {
        BuildError::Bundle(BundleError::Refused { message }) => message,
        BuildError::Bundle(BundleError::NotInstalled { message, command }) => format!("{message}\n{command}"),
        other => panic!("{other}"),
    };
    let syntax = [("api/a.ts", "export function GET() {\n\treturn new Response('a';\n}\n")];
    insta::assert_snapshot!(refused(&syntax), @"
    api/a.ts:2:25: Expected `,` or `)` but found `;`
     2 | 	return new Response('a';
       | 	                       ^
    ");
    let path = [("api/a.ts", "import { a } from '../lib/a';\nexport const GET = () => a;\n")];
    insta::assert_snapshot!(refused(&path), @"
    api/a.ts:1:19: `../lib/a` leads to no file
     1 | import { a } from '../lib/a';
       |                   ^
    ");
    let package = [("api/a.ts", "import { z } from 'zod';\nimport '@x/y/part';\nexport const GET = () => z;\n")];
    insta::assert_snapshot!(refused(&package), @"
    api/a.ts:1:19: the package `zod` is not installed
     1 | import { z } from 'zod';
       |                   ^
    api/a.ts:2:8: the package `@x/y` is not installed
     2 | import '@x/y/part';
       |        ^
    npm install @x/y zod
    ");
    let asked_for = [
        ("api/a.ts", "import { z } from 'zod';\nexport const GET = () => z;\n"),
        ("package.json", r#"{"dependencies":{"zod":"4"}}"#),
        ("pnpm-lock.yaml", ""),
        ("ship.toml", "[build]\ninstall = \"\"\n"),
    ];
    insta::assert_snapshot!(refused(&asked_for), @"
    api/a.ts:1:19: the package `zod` is not installed
     1 | import { z } from 'zod';
       |                   ^
    pnpm install
    ");
    let export = [
        ("api/a.ts", "import { a } from '../lib/a';\nexport const GET = () => a;\n"),
        ("lib/a.ts", "export const b = 1;\n"),
    ];
    insta::assert_snapshot!(refused(&export), @r#"
    api/a.ts:1:10: "a" is not exported by "lib/a.ts", imported by "api/a.ts".
     1 | import { a } from '../lib/a';
       |          ^
    "#);
}
