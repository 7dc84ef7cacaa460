//! Artifacts as they are packed, taken apart.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use ship_core::FunctionLimits;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn composition(runtime: FunctionRuntime, files: &[(&str, &str)]) -> Composition {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    let zip = writer.finish().unwrap().into_inner();
    let (digest, size_bytes) = (Digest::of(&zip), zip.len() as u64);
    let name = "api/date".parse().unwrap();
    let (limits, layers, warm) = (FunctionLimits::default(), Vec::new(), Vec::new());
    let function = Function { name, runtime, digest, size_bytes, limits, layers, warm };
    let file = || {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&zip).unwrap();
        file
    };
    Composition::of(&function, |_| Ok((size_bytes, file()))).unwrap()
}

fn told(composition: &Composition) -> String {
    let mut text = format!("{} bytes\n", composition.bytes);
    for package in &composition.packages {
        let _ = writeln!(text, "{} {} {}", package.bytes, package.kind.as_str(), package.name);
        text.extend(package.files.iter().map(|file| format!("  {} {}\n", file.bytes, file.path)));
    }
    text
}

/// A bundle is what its map says; what stands beside it, what its place says. Together it is all that is unpacked.
#[test]
fn bundle() {
    let map = r#"{"version":3,"sources":["../api/date.ts","../node_modules/date-fns/add.js"],"names":[],"mappings":"AAAA;ACAA"}"#;
    let files = [
        ("bundle/date.mjs", "own();\nadd();add();\n"),
        ("bundle/date.mjs.map", map),
        ("launcher.mjs", "start()"),
        ("data/cities.json", "[]"),
    ];
    let found = composition(FunctionRuntime::Node, &files);
    assert_eq!(found.bytes, files.iter().map(|(_, content)| content.len() as u64).sum::<u64>());
    insta::assert_snapshot!(told(&found), @r"
    139 bytes
    110 data source maps
      110 bundle/date.mjs.map
    13 dependency date-fns
      13 add.js
    9 own the project
      7 api/date.ts
      2 data/cities.json
    7 platform ship's launcher
      7 launcher.mjs
    ");
}

/// A map that is none, and a program that is none, stay whole.
#[test]
fn unreadable() {
    let node = composition(FunctionRuntime::Node, &[("bundle/a.mjs", "a()"), ("bundle/a.mjs.map", "what?")]);
    insta::assert_snapshot!(told(&node), @r"
    8 bytes
    5 data source maps
      5 bundle/a.mjs.map
    3 own the project
      3 bundle/a.mjs
    ");
    let go = composition(FunctionRuntime::Go, &[("bootstrap", "\u{7f}ELF")]);
    assert_eq!(told(&go), "4 bytes\n4 own the project\n  4 bootstrap\n");
}

/// However many packages and files there are, an answer is of a size, and says what it leaves out.
#[test]
fn folded() {
    let names: Vec<String> = (0..1_000).map(|number| format!("python/p{}/f{number}.py", number % 300)).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "pass")).collect();
    let found = composition(FunctionRuntime::Python, &files);
    assert_eq!((found.bytes, found.packages.len()), (4_000, PACKAGES));
    let shown: u64 = found.packages.iter().map(|package| package.bytes).sum();
    assert_eq!((found.others.count, found.others.bytes + shown), (100, 4_000));
    let names: Vec<String> = (0..100).map(|number| format!("python/one/{number}.py")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "pass")).collect();
    let one = &composition(FunctionRuntime::Python, &files).packages[0];
    assert_eq!((one.files.len(), one.others), (FILES, Others { count: 60, bytes: 240 }));
}
