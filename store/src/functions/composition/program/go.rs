//! The table of functions that every program in Go has for its runtime: `gopclntab`, as it is since Go 1.18.
//!
//! It begins with a mark, the size of a pointer, the number of functions, and where the names and the list of functions stand. In that list
//! each function has the place of its code and of its record, in which is the place of its name.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _};

use super::super::owner::{Owner, PackageKind};

/// The sections that it may stand in.
const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

/// The marks of Go 1.18 and of Go 1.20 and later.
const MARKS: [u32; 2] = [0xffff_fff0, 0xffff_fff1];

/// Which numbers of the head are looked at, counted in pointers behind its first eight bytes.
const FUNCTIONS: usize = 0;
const NAMES: usize = 3;
const LIST: usize = 7;

/// The bytes of code of each package; nothing if this is no program in Go that can be read.
pub(super) fn packages(file: &object::File) -> Option<BTreeMap<Owner, u64>> {
    let section = SECTIONS.iter().find_map(|name| file.section_by_name(name))?;
    let table = Table { bytes: section.data().ok()? };
    if !MARKS.contains(&table.number(0)?) || table.bytes.get(7) != Some(&8) {
        return None;
    }
    let (names, list) = (table.head(NAMES)?, table.head(LIST)?);
    let mut packages = BTreeMap::new();
    for number in 0..table.head(FUNCTIONS)? {
        let entry = list.checked_add(number.checked_mul(8)?)?;
        let (begin, record, end) = (table.number(entry)?, table.number(entry + 4)?, table.number(entry + 8)?);
        let name = table.number(list.checked_add(record as usize)?.checked_add(4)?)?;
        let name = table.text(names.checked_add(name as usize)?)?;
        *packages.entry(owner_of(name)).or_default() += u64::from(end.saturating_sub(begin));
    }
    (!packages.is_empty()).then_some(packages)
}

struct Table<'t> {
    bytes: &'t [u8],
}

impl<'t> Table<'t> {
    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?;
        bytes.try_into().ok().map(u32::from_le_bytes)
    }

    fn head(&self, place: usize) -> Option<usize> {
        let at = 8 + place * 8;
        let bytes = self.bytes.get(at..at + 8)?;
        bytes.try_into().ok().map(u64::from_le_bytes).and_then(|number| usize::try_from(number).ok())
    }

    fn text(&self, at: usize) -> Option<&'t str> {
        let rest = self.bytes.get(at..)?;
        let end = memchr::memchr(0, rest)?;
        std::str::from_utf8(&rest[..end]).ok()
    }
}

/// The module that ship puts beside a project's handlers.
const LAUNCHER: &str = "ship.site/ship-launcher";

/// The package of a function: what stands before the first point behind the last slash.
fn owner_of(function: &str) -> Owner {
    if function.starts_with("type:") || function.starts_with("go:") {
        return Owner::platform("the compiler");
    }
    let plain = function.split('[').next().unwrap_or(function);
    let last = plain.rfind('/').map_or(0, |slash| slash + 1);
    let end = plain[last..].find('.').map_or(plain.len(), |point| last + point);
    // Points in the last part of a path are escaped.
    let name = plain[..end].replace("%2e", ".");
    if name.starts_with(LAUNCHER) {
        return Owner::platform("ship's launcher");
    }
    let kind = match name.split('/').next() {
        Some("main") => PackageKind::Own,
        Some(first) if first.contains('.') => PackageKind::Dependency,
        _ => PackageKind::Platform,
    };
    Owner { kind, name }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Methods, generics, and what the compiler makes.
    #[test]
    fn names() {
        let read = |name: &str| {
            let owner = owner_of(name);
            (owner.name, owner.kind)
        };
        let platform = |name: &str| (name.to_owned(), PackageKind::Platform);
        assert_eq!(read("net/http.(*Server).Serve"), platform("net/http"));
        assert_eq!(read("slices.SortFunc[go.shape.[]example.com/a/b.T]"), platform("slices"));
        assert_eq!(read("gopkg.in/yaml%2ev3.Marshal"), ("gopkg.in/yaml.v3".into(), PackageKind::Dependency));
        assert_eq!(read("ship.site/ship-launcher.Run"), platform("ship's launcher"));
        assert_eq!(read("main.main"), ("main".into(), PackageKind::Own));
        assert_eq!(read("type:.eq.main.T"), platform("the compiler"));
    }
}
