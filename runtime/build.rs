//! Builds the waiter (`waiter/main.rs`), which lies in ship's program and has no library below it.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

/// How it is compiled and linked: with nothing at its start but its own code, no loader and no library.
const SETTINGS: [&str; 8] = [
    "opt-level=s",
    "panic=abort",
    "relocation-model=static",
    "strip=symbols",
    "link-arg=-nostartfiles",
    "link-arg=-nostdlib",
    "link-arg=-static",
    "link-arg=-Wl,--build-id=none",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=waiter/main.rs");
    if env::var("CARGO_CFG_TARGET_OS")? != "linux" {
        return Ok(());
    }
    let program = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo does not say where to build")?).join("waiter");
    let mut compiler = Command::new(env::var_os("RUSTC").ok_or("cargo does not say which compiler to use")?);
    compiler.args(["waiter/main.rs", "--crate-name", "ship_waiter", "--crate-type", "bin", "--edition", "2024"]);
    compiler.args(["--target", &env::var("TARGET")?]).arg("-o").arg(&program);
    compiler.args(SETTINGS.iter().flat_map(|setting| ["-C", setting]));
    if env::var("CARGO_CFG_TARGET_ENV")? == "musl" {
        // The compiler brings a start of its own there.
        compiler.args(["-C", "link-self-contained=no"]);
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        compiler.args(["-C", &format!("linker={linker}")]);
    }
    let status = compiler.status()?;
    if !status.success() {
        return Err(format!("the waiter does not compile: {status}").into());
    }
    println!("cargo::rustc-env=SHIP_WAITER={}", program.display());
    Ok(())
}
