//! What makes programs of compiled functions: the linker of this machine, or zig, which links for older systems than this one
//! and for other processors.

use std::path::PathBuf;
use std::process::Command;

use super::compile::RustError;
use super::toolchain::{Toolchain, on_path};
use crate::environment::{Architecture, Audience, BuildEnvironment, BuildOptions, RunsOn};
use crate::event::BuildEvent;
use crate::pypi::{self, FetchError, PinnedWheel, Unpacked};

/// The oldest glibc that programs run with: that of the oldest systems in use, and the oldest that Rust itself supports.
const GLIBC: &str = "2.17";

/// What has cargo link with zig.
const ZIGBUILD: PinnedWheel = PinnedWheel {
    project: "cargo-zigbuild",
    name: "cargo-zigbuild 0.24.0",
    reason: "which builds functions in Rust so that they run on any machine",
    wheels: &[
        (
            "linux-x86_64",
            "cargo_zigbuild-0.24.0-py3-none-manylinux_2_5_x86_64.manylinux1_x86_64.whl",
            "484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957",
        ),
        (
            "linux-aarch64",
            "cargo_zigbuild-0.24.0-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
            "6942e4320f7b05d8fb29e0a8ce5670bcbb3d254275100b85b5b7c86552f9a744",
        ),
        (
            "macos-x86_64",
            "cargo_zigbuild-0.24.0-py3-none-macosx_10_12_x86_64.macosx_11_0_arm64.macosx_10_12_universal2.whl",
            "b576e8b95ff199eedee0e57afcdbaff7579744916261483280d350b9a35711fd",
        ),
        (
            "macos-aarch64",
            "cargo_zigbuild-0.24.0-py3-none-macosx_10_12_x86_64.macosx_11_0_arm64.macosx_10_12_universal2.whl",
            "b576e8b95ff199eedee0e57afcdbaff7579744916261483280d350b9a35711fd",
        ),
    ],
    unpacked: Unpacked::Program("cargo_zigbuild-0.24.0.data/scripts/cargo-zigbuild"),
};

/// The linker, with the C libraries that it links against.
const ZIG: PinnedWheel = PinnedWheel {
    project: "ziglang",
    name: "zig 0.15.2",
    reason: "which links functions in Rust so that they run on any machine",
    wheels: &[
        (
            "linux-x86_64",
            "ziglang-0.15.2-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl",
            "806316453d1ede7174ed3fefb8e5348154629089c3bb5fe812dfd0e172fac130",
        ),
        (
            "linux-aarch64",
            "ziglang-0.15.2-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
            "edc0aa60ec964a4cf462d40f68d7de242ddf37fd9a80f2afaee6397059463230",
        ),
        (
            "macos-x86_64",
            "ziglang-0.15.2-py3-none-macosx_12_0_x86_64.whl",
            "47af4f85e3e59bd672126cc026d3a01b516cad24b9a9ea075abfe8532f4c6bc1",
        ),
        (
            "macos-aarch64",
            "ziglang-0.15.2-py3-none-macosx_12_0_arm64.whl",
            "acae2a9ce67ed249ad68d42c21bc73b5f9d51a33ba5ea42f609f78683e8d9bb7",
        ),
    ],
    unpacked: Unpacked::Folder { folder: "ziglang", program: "zig" },
};

/// Which linker programs are made with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Linker {
    /// The C compiler of this machine. What it makes needs a glibc as new as this machine's.
    Own,
    /// `cargo zigbuild` and zig, both as they are on the search path.
    Found,
    /// The same, as ship fetches them.
    Pinned,
}

/// A linker that is there.
pub(super) enum ReadyLinker {
    Own,
    Found,
    Pinned { zigbuild: PathBuf, zig: PathBuf },
}

impl Linker {
    /// The one for programs that run where `options` say. Nothing is fetched for those that never leave this machine.
    pub(super) fn choose(options: BuildOptions, environment: &BuildEnvironment) -> Self {
        let has = |program| on_path(environment, program).is_some();
        match options.runs_on {
            _ if has("cargo-zigbuild") && (has("zig") || has("python-zig")) => Self::Found,
            RunsOn::ThisMachine if is_native(options.arch) => Self::Own,
            RunsOn::ThisMachine | RunsOn::AnyMachine => Self::Pinned,
        }
    }

    /// What tells what it makes from what others make.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Found => "zig",
            Self::Pinned => ZIG.name,
        }
    }

    /// Fetches what is absent.
    pub(super) fn ready(
        self,
        environment: &BuildEnvironment,
        events: &dyn Fn(BuildEvent),
    ) -> Result<ReadyLinker, RustError> {
        let fetch = |pinned| pypi::fetch(pinned, environment, events).map_err(RustError::from);
        Ok(match self {
            Self::Own => ReadyLinker::Own,
            Self::Found => ReadyLinker::Found,
            Self::Pinned => ReadyLinker::Pinned { zigbuild: fetch(&ZIGBUILD)?, zig: fetch(&ZIG)? },
        })
    }
}

impl ReadyLinker {
    /// The beginning of a command that builds for `arch`, up to the target.
    pub(super) fn command(&self, toolchain: &Toolchain, arch: Architecture, environment: &BuildEnvironment) -> Command {
        let target = Toolchain::target(arch);
        let mut command = match self {
            Self::Pinned { zigbuild, .. } => Command::new(zigbuild),
            Self::Own | Self::Found => Command::new(&toolchain.cargo),
        };
        command.env_clear().envs(environment.variables(Audience::Rust));
        match self {
            Self::Own => command.args(["build", "--target", target]),
            Self::Found | Self::Pinned { .. } => command.args(["zigbuild", "--target", &format!("{target}.{GLIBC}")]),
        };
        if let Self::Pinned { zig, .. } = self {
            let caches = environment.cache_dir.join("rust");
            // It would ask the Python on the search path for a zig first, and there may be another one.
            command.env("CARGO_ZIGBUILD_PYTHON_PATH", "/nonexistent").env("CARGO_ZIGBUILD_ZIG_PATH", zig);
            command.env("CARGO_ZIGBUILD_CACHE_DIR", caches.join("zigbuild")).env("CARGO", &toolchain.cargo);
            for name in ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"] {
                command.env(name, caches.join("zig"));
            }
        }
        command
    }
}

/// Whether programs for `arch` run on this machine.
pub(super) fn is_native(arch: Architecture) -> bool {
    cfg!(target_os = "linux") && arch == Architecture::default()
}

impl From<FetchError> for RustError {
    /// What keeps the linker from being fetched.
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Platform { platform } => Self::NoLinker { platform },
            FetchError::Unreachable { address, source } => Self::LinkerUnreachable { address, source },
            FetchError::Digest { address, found, expected } => Self::LinkerDigest { address, found, expected },
            FetchError::Storage { path, source } => Self::Storage { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Programs that stay on this machine are linked by it; all others by zig, a person's own before the one that is fetched.
    #[test]
    fn choices() {
        let folder = tempfile::tempdir().unwrap();
        let path = [("PATH".into(), folder.path().into())];
        let environment = BuildEnvironment::new(folder.path().into(), folder.path().into(), path);
        let other = match Architecture::default() {
            Architecture::Amd64 => Architecture::Arm64,
            Architecture::Arm64 => Architecture::Amd64,
        };
        let choices = || {
            [
                (Architecture::default(), RunsOn::ThisMachine),
                (Architecture::default(), RunsOn::AnyMachine),
                (other, RunsOn::ThisMachine),
            ]
            .map(|(arch, runs_on)| Linker::choose(BuildOptions { arch, runs_on }, &environment))
        };
        assert_eq!(choices(), [Linker::Own, Linker::Pinned, Linker::Pinned]);
        for name in ["cargo-zigbuild", "zig"] {
            let program = folder.path().join(name);
            std::fs::write(&program, "").unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert_eq!(choices(), [Linker::Found; 3]);
    }
}
