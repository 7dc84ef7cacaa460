//! What build scripts of a Python project find: an environment of their own that `pip install` may fill, and one Python, by
//! whatever version they call it.

use std::path::{Path, PathBuf};

use super::error::PythonError;
use super::interpreter::Interpreter;
use super::uv::{Uv, UvError};
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;
use crate::pypi::Secrets;

/// The minor versions of Python 3 that a script may call: those that Vercel has had.
const MINORS: std::ops::RangeInclusive<u32> = 6..=14;

/// The folder of programs of the environment in `folder`, which is made if it is not there. `None` where there is no Python.
pub(crate) fn programs(
    folder: &Path,
    environment: &BuildEnvironment,
    events: &dyn Fn(BuildEvent),
) -> Result<Option<PathBuf>, PythonError> {
    let programs = folder.join("bin");
    if programs.join("pip").is_file() && programs.join("python").is_file() {
        return Ok(Some(programs));
    }
    let Some(interpreter) = Interpreter::find(environment) else { return Ok(None) };
    let failed = |source| PythonError::Storage { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let uv = Uv::find(environment, events)?;
    let mut command = uv.command(folder, environment);
    command.args(["venv", "--quiet", "--seed", "--allow-existing", "--python"]).arg(&interpreter.program).arg(folder);
    uv.run(command, &Secrets::of(environment)).map_err(|error| match error {
        UvError::NotStarted { program, source } => PythonError::NotStarted { program, source },
        UvError::Refused { said } => PythonError::NoEnvironment { message: said.trim().to_owned() },
    })?;
    for minor in MINORS {
        let name = programs.join(format!("python3.{minor}"));
        if !name.exists() {
            std::os::unix::fs::symlink("python", &name).map_err(failed)?;
        }
    }
    Ok(Some(programs))
}
