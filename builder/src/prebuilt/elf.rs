//! For which processor a program is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::environment::Architecture;

/// What a program says of the processor it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Program {
    /// One that functions run on.
    For(Architecture),
    /// Another one, or another system.
    Foreign(String),
    /// It is no program of a machine: a script, for example.
    Text,
}

/// Looks at the first bytes of a file.
pub(super) fn program(file: &Path) -> io::Result<Program> {
    let mut head = Vec::with_capacity(20);
    File::open(file)?.take(20).read_to_end(&mut head)?;
    Ok(of_head(&head))
}

fn of_head(head: &[u8]) -> Program {
    let foreign = |what: &str| Program::Foreign(what.to_owned());
    match head {
        // The machine stands in two bytes, the lower first where the byte before the sixth says so.
        [0x7f, b'E', b'L', b'F', class, order, .., low, high] if head.len() == 20 => {
            let machine =
                if *order == 2 { u16::from_be_bytes([*low, *high]) } else { u16::from_le_bytes([*low, *high]) };
            match (machine, class) {
                (62, 2) => Program::For(Architecture::Amd64),
                (183, 2) => Program::For(Architecture::Arm64),
                (3, _) => foreign("32-bit x86"),
                (40, _) => foreign("32-bit ARM"),
                (243, _) => foreign("RISC-V"),
                (other, _) => Program::Foreign(format!("the processor {other} of ELF's list")),
            }
        }
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => foreign("macOS"),
        [b'M', b'Z', ..] => foreign("Windows"),
        _ => Program::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(class: u8, machine: u16) -> Vec<u8> {
        let mut head = vec![0; 20];
        head[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1]);
        head[18..].copy_from_slice(&machine.to_le_bytes());
        head
    }

    /// The processor is read from the head; what has none is text.
    #[test]
    fn heads() {
        assert_eq!(of_head(&elf(2, 62)), Program::For(Architecture::Amd64));
        assert_eq!(of_head(&elf(2, 183)), Program::For(Architecture::Arm64));
        assert_eq!(of_head(&elf(1, 40)), Program::Foreign("32-bit ARM".to_owned()));
        assert_eq!(of_head(&[0xcf, 0xfa, 0xed, 0xfe, 0, 0]), Program::Foreign("macOS".to_owned()));
        assert_eq!(of_head(b"#!/bin/sh\n"), Program::Text);
        assert_eq!(of_head(b""), Program::Text);
        assert_eq!(program(&std::env::current_exe().unwrap()).unwrap(), Program::For(Architecture::default()));
    }
}
