//! TypeScript functions: building many of them, and building them again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use ship_tests::{TestEnv, TestProject};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::alternate::{alternate, timed};
use crate::figure::{Bound, Row};
use crate::npm::{self, NotInstalled, Peers};
use crate::samples::Samples;

/// How many functions are built together.
const COUNTS: [usize; 2] = [20, 200];

/// D6: from nothing to an artifact per function, against two programs that make the same.
pub(crate) fn first_build(runs: usize) -> Vec<Row> {
    let environment = TestEnv::new();
    let peers = match Peers::install(&environment.folder().join("peers")) {
        Ok(peers) => peers,
        Err(reason) => return vec![Row::skipped("building TypeScript functions", &reason.to_string())],
    };
    COUNTS.into_iter().flat_map(|count| first_build_of(&environment, &peers, count, runs)).collect()
}

fn first_build_of(environment: &TestEnv, peers: &Peers, count: usize, runs: usize) -> Vec<Row> {
    let functions = match Functions::write(environment, count) {
        Ok(functions) => functions,
        Err(reason) => return vec![Row::skipped(&format!("building {count} functions"), &reason.to_string())],
    };
    let against = |name: &str, bound: Bound, other: &mut dyn FnMut(usize)| {
        let (ship, other) =
            alternate(runs, |_| timed(|| functions.build_from_nothing()).0, |run| timed(|| other(run)).0);
        let work = format!("building {count} TypeScript functions");
        Row::compared(&work, Samples::seconds(ship), name, Samples::seconds(other), bound)
    };
    vec![
        against("esbuild and zip", Bound::times(1.0), &mut |_| functions.build_with_esbuild(peers, Sharing::Nothing)),
        against("esbuild --splitting and zip", Bound::times(1.0), &mut |_| {
            functions.build_with_esbuild(peers, Sharing::Chunks);
        }),
        against("zip-it-and-ship-it", Bound::times(0.1), &mut |_| functions.build_with_zip_it_and_ship_it(peers)),
    ]
}

/// D7: the same build once more, against the first.
pub(crate) fn build_again(runs: usize) -> Vec<Row> {
    let work = "building 200 TypeScript functions again, nothing changed";
    let environment = TestEnv::new();
    let functions = match Functions::write(&environment, 200) {
        Ok(functions) => functions,
        Err(reason) => return vec![Row::skipped(work, &reason.to_string())],
    };
    let first = |_| timed(|| functions.build_from_nothing()).0;
    let again = |_| {
        functions.build();
        timed(|| functions.build()).0
    };
    let (again, first) = alternate(runs, again, first);
    vec![Row::compared(work, Samples::seconds(again), "the first build", Samples::seconds(first), Bound::times(0.05))]
}

/// Whether what several functions import is in one file or in each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Nothing,
    Chunks,
}

/// A project of TypeScript functions that import what they need of three large packages.
struct Functions<'e> {
    environment: &'e TestEnv,
    project: TestProject,
    names: Vec<String>,
}

impl<'e> Functions<'e> {
    fn write(environment: &'e TestEnv, count: usize) -> Result<Self, NotInstalled> {
        let project = environment.project(&format!("functions-{count}"));
        let names: Vec<String> = (0..count).map(|number| format!("report{number:03}")).collect();
        for (number, name) in names.iter().enumerate() {
            project.write(&format!("api/{name}.ts"), source(number));
        }
        npm::install_libraries(project.folder())?;
        Ok(Self { environment, project, names })
    }

    fn build(&self) {
        let _ = self.environment.ship(["build"]).within(self.project.folder()).run().success();
    }

    /// Builds with nothing known of any earlier build.
    fn build_from_nothing(&self) {
        for folder in [self.environment.ship_home().join("cache"), self.project.path(".ship")] {
            remove(&folder);
        }
        self.build();
    }

    /// One process of esbuild for all entries, with the same kind of source maps, and one zip per function.
    fn build_with_esbuild(&self, peers: &Peers, sharing: Sharing) {
        let folder = self.environment.folder().join("esbuild-output");
        remove(&folder);
        let mut command = Command::new(peers.esbuild());
        command.args(self.names.iter().map(|name| format!("api/{name}.ts")));
        command.args(["--bundle", "--platform=node", "--format=esm", "--target=node20", "--log-level=error"]);
        command.args(["--out-extension:.js=.mjs", "--sourcemap=external", "--sources-content=false"]);
        command.arg(format!("--outdir={}", folder.display()));
        command.arg(format!("--metafile={}", folder.join("meta.json").display()));
        if sharing == Sharing::Chunks {
            command.arg("--splitting");
        }
        run(command.current_dir(self.project.folder()));
        let outputs = Outputs::read(&folder, self.project.folder());
        for name in &self.names {
            zip(&folder.join(format!("{name}.zip")), &outputs.reached_from(&folder.join(format!("{name}.mjs"))));
        }
    }

    fn build_with_zip_it_and_ship_it(&self, peers: &Peers) {
        let folder = self.environment.folder().join("zip-it-and-ship-it-output");
        remove(&folder);
        let mut command = Command::new(peers.zip_it_and_ship_it());
        command.arg(self.project.path("api")).arg(&folder);
        run(command.current_dir(self.project.folder()));
    }
}

/// A function that is a little different for each `number`.
fn source(number: usize) -> String {
    format!(
        r#"import type {{ IncomingMessage, ServerResponse }} from "node:http";
import {{ addDays, formatISO }} from "date-fns";
import {{ chunk, sortBy }} from "lodash-es";
import {{ z }} from "zod";

const Query = z.object({{ days: z.coerce.number().int().min(0).default({number}) }});

export default function handler(request: IncomingMessage, response: ServerResponse) {{
  const url = new URL(request.url ?? "/", "http://localhost");
  const {{ days }} = Query.parse(Object.fromEntries(url.searchParams));
  const dates = Array.from({{ length: days }}, (_, day) => formatISO(addDays(new Date(0), day)));
  response.end(JSON.stringify(chunk(sortBy(dates), 7)));
}}
"#
    )
}

/// What esbuild says that it wrote: which files, and what each imports. Paths are relative to where it ran.
#[derive(Deserialize)]
struct Outputs {
    outputs: BTreeMap<PathBuf, Written>,
    #[serde(skip)]
    ran_in: PathBuf,
}

#[derive(Deserialize)]
struct Written {
    imports: Vec<Import>,
}

#[derive(Deserialize)]
struct Import {
    path: PathBuf,
    #[serde(default)]
    external: bool,
}

impl Outputs {
    fn read(folder: &Path, ran_in: &Path) -> Self {
        let bytes = fs::read(folder.join("meta.json")).expect("esbuild has written what it did");
        let read: Self = serde_json::from_slice(&bytes).expect("what it did is JSON");
        Self { ran_in: ran_in.to_owned(), ..read }
    }

    /// The files that one entry needs, with their maps.
    fn reached_from(&self, entry: &Path) -> Vec<PathBuf> {
        let is_entry = |path: &&PathBuf| path.file_name() == entry.file_name();
        let mut waiting: Vec<&PathBuf> = self.outputs.keys().filter(is_entry).collect();
        let mut reached = BTreeSet::new();
        while let Some(path) = waiting.pop() {
            if reached.insert(path) {
                let imports = &self.outputs[path].imports;
                waiting.extend(imports.iter().filter(|import| !import.external).map(|import| &import.path));
            }
        }
        let with_map = |path: &PathBuf| [self.ran_in.join(path), self.ran_in.join(path).with_extension("mjs.map")];
        reached.into_iter().flat_map(with_map).collect()
    }
}

/// Writes a zip of `files`, compressed as zip programs do.
fn zip(archive: &Path, files: &[PathBuf]) {
    let mut writer = ZipWriter::new(File::create(archive).expect("the folder is writable"));
    for file in files {
        let name = file.file_name().expect("a file has a name").to_string_lossy();
        writer.start_file(name, SimpleFileOptions::default()).expect("an archive takes files");
        writer.write_all(&fs::read(file).expect("esbuild wrote it")).expect("the disk has room");
    }
    writer.finish().expect("the disk has room");
}

fn remove(folder: &Path) {
    // One that is not there is as good.
    let _ = fs::remove_dir_all(folder);
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}
