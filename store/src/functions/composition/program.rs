//! Which packages a program is made of. Of a program in Go its own table of functions says it, which stays where symbols are stripped; of
//! others the symbols do, where they were left. What remains is told by the program's sections.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use super::Count;
use super::owner::{Owner, PackageKind};

mod go;

/// The file of an artifact that is a program.
pub(super) const ENTRY: &str = "bootstrap";

/// Where code stands in a program.
const CODE: &str = ".text";

/// What is counted for the parts of a program that are no code.
const SECTIONS: &str = "data of the program";

/// Counts the bytes of a program by packages. What is none stays whole.
pub(super) fn count(path: &str, program: &[u8], count: &mut Count) {
    let Ok(file) = object::File::parse(program) else {
        count.add_file(path, program.len() as u64);
        return;
    };
    let sections = sections(&file);
    let code = sections.get(CODE).copied().unwrap_or_default();
    let packages = go::packages(&file).unwrap_or_else(|| crates(&file));
    let mut told = 0;
    for (owner, bytes) in packages {
        // No more than there is: a table could say anything.
        let bytes = bytes.min(code - told);
        told += bytes;
        count.add(owner, "code", bytes);
    }
    let others = sections.iter().filter(|(name, _)| *name != CODE);
    others.for_each(|(name, bytes)| count.add(Owner::data(SECTIONS), described(name), *bytes));
    let untold = if told == 0 { Owner::own() } else { Owner::platform("code without a name") };
    count.add(untold, "code", code - told);
    let in_sections: u64 = sections.values().sum();
    count.add(Owner::data(SECTIONS), "headers and gaps", (program.len() as u64).saturating_sub(in_sections));
}

/// A section with what it is for, where that is known.
fn described(section: &str) -> String {
    let purpose = match section {
        ".gopclntab" => "functions and lines, for stack traces",
        ".rodata" => "texts, types and other constants",
        ".data" | ".noptrdata" => "variables that begin with a value",
        ".eh_frame" => "how to go back through the stack",
        _ => return section.to_owned(),
    };
    format!("{section}: {purpose}")
}

/// How many bytes of the file each section has, by name.
fn sections(file: &object::File) -> BTreeMap<String, u64> {
    let mut sections = BTreeMap::new();
    for section in file.sections() {
        let name = section.name().ok().filter(|name| !name.is_empty()).unwrap_or("a section without a name");
        let bytes = section.file_range().map_or(0, |(_, bytes)| bytes);
        *sections.entry(name.to_owned()).or_default() += bytes;
    }
    sections
}

/// The bytes of code of each crate, by the symbols.
fn crates(file: &object::File) -> BTreeMap<Owner, u64> {
    let mut crates = BTreeMap::new();
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
    for symbol in functions {
        let Some(name) = symbol.name().ok().and_then(crate_of) else { continue };
        let kind = match name.as_str() {
            "alloc" | "core" | "std" | "compiler_builtins" => PackageKind::Platform,
            _ => PackageKind::Dependency,
        };
        *crates.entry(Owner { kind, name }).or_default() += symbol.size();
    }
    crates
}

/// The crate that a symbol is of: what stands before the first `::`, behind the brackets of a type.
fn crate_of(symbol: &str) -> Option<String> {
    let plain = format!("{:#}", rustc_demangle::try_demangle(symbol).ok()?);
    let (name, _) = plain.trim_start_matches(|character: char| "<&*[(".contains(character)).split_once("::")?;
    let name = name.strip_prefix("mut ").or_else(|| name.strip_prefix("dyn ")).unwrap_or(name);
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use ship_core::FunctionRuntime;

    use super::*;

    /// Symbols of both schemes name their crates; those of C name none.
    #[test]
    fn crates_of_symbols() {
        let of = |symbol: &str| crate_of(symbol).unwrap_or_default();
        assert_eq!(of("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"), "core");
        assert_eq!(of("_RNvCs1234_7mycrate3foo"), "mycrate");
        assert_eq!(of("memcpy"), "");
    }

    /// What is no program stays whole; this test is one, and its bytes are all told.
    #[test]
    fn whole() {
        let mut told = Count::new(FunctionRuntime::Rust);
        count("bootstrap", b"#!/bin/sh\n", &mut told);
        assert_eq!(told.finished().packages[0].name, "the project");
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut told = Count::new(FunctionRuntime::Rust);
        count("bootstrap", &program, &mut told);
        let composition = told.finished();
        let names: Vec<&str> = composition.packages.iter().map(|package| package.name.as_str()).collect();
        assert!(names.contains(&"core") && names.contains(&SECTIONS), "{names:?}");
        assert!(composition.bytes >= program.len() as u64, "{}", composition.bytes);
    }
}
