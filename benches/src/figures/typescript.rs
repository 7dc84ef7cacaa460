//! TypeScript functions: building many of them, and building them again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use ship_tests::{TestEnv, TestProject};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::bench::Bench;
use crate::contest::{Contender, timed_rows};
use crate::figure::{Bound, Row};
use crate::peer::{NotThere, Peer, build, npm};
use crate::samples::Samples;
use crate::turns::{alternate, timed};

/// How many functions are built together.
const COUNTS: [usize; 2] = [20, 200];

/// D6: from nothing to an artifact per function, against programs that make the same.
pub(crate) fn first_build(bench: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    COUNTS.into_iter().flat_map(|count| first_build_of(bench, &environment, count)).collect()
}

fn first_build_of(bench: &Bench, environment: &TestEnv, count: usize) -> Vec<Row> {
    let work = format!("building {count} TypeScript functions");
    let functions = match Functions::write(environment, count) {
        Ok(functions) => functions,
        Err(reason) => return vec![Row::skipped(&work, &reason.to_string())],
    };
    let contenders = bench.against.iter().flat_map(|peer| functions.contenders(*peer)).collect();
    timed_rows(&work, bench.runs, |_| timed(|| functions.build_from_nothing()).0, contenders)
}

/// D7: the same build once more, against the first.
pub(crate) fn build_again(bench: &Bench) -> Vec<Row> {
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
    let (again, first) = alternate(bench.runs, again, first);
    vec![Row::compared(work, Samples::seconds(again), "the first build", Samples::seconds(first), Bound::times(0.05))]
}

/// How long a build takes that may fail, in seconds.
fn timed_build(work: impl FnOnce() -> Result<(), NotThere>) -> Result<f64, NotThere> {
    let (seconds, built) = timed(work);
    built.map(|()| seconds)
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
    fn write(environment: &'e TestEnv, count: usize) -> Result<Self, NotThere> {
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

    /// A peer at the same work. esbuild is there twice: as it is mostly used, and with what several functions import in files of their own.
    fn contenders(&self, peer: Peer) -> Vec<Contender<'_, f64>> {
        let of = |name, bound, build: Build<'e>| {
            Contender::new(name, Bound::times(bound), move |_| timed_build(|| build(self)))
        };
        match peer {
            Peer::Esbuild => vec![
                of("esbuild and zip", 1., |functions| functions.build_with_esbuild(Sharing::Nothing)),
                of("esbuild --splitting and zip", 1., |functions| functions.build_with_esbuild(Sharing::Chunks)),
            ],
            Peer::ZipItAndShipIt => vec![of(peer.name(), 0.1, Self::build_with_zip_it_and_ship_it)],
            _ => vec![of("vercel build", 1. / 15., Self::build_with_vercel)],
        }
    }

    /// One process of esbuild for all entries, with the same kind of source maps, and one zip per function.
    fn build_with_esbuild(&self, sharing: Sharing) -> Result<(), NotThere> {
        let folder = self.environment.folder().join("esbuild-output");
        remove(&folder);
        let mut command = Command::new(build::esbuild()?);
        command.args(self.names.iter().map(|name| format!("api/{name}.ts")));
        command.args(["--bundle", "--platform=node", "--format=esm", "--target=node20", "--log-level=error"]);
        command.args(["--out-extension:.js=.mjs", "--sourcemap=external", "--sources-content=false"]);
        command.arg(format!("--outdir={}", folder.display()));
        command.arg(format!("--metafile={}", folder.join("meta.json").display()));
        if sharing == Sharing::Chunks {
            command.arg("--splitting");
        }
        build::run(command.current_dir(self.project.folder()))?;
        let outputs = Outputs::read(&folder, self.project.folder());
        for name in &self.names {
            zip(&folder.join(format!("{name}.zip")), &outputs.reached_from(&folder.join(format!("{name}.mjs"))));
        }
        Ok(())
    }

    fn build_with_zip_it_and_ship_it(&self) -> Result<(), NotThere> {
        let folder = self.environment.folder().join("zip-it-and-ship-it-output");
        remove(&folder);
        build::run(build::zip_it_and_ship_it(&self.project.path("api"), &folder)?.current_dir(self.project.folder()))
    }

    fn build_with_vercel(&self) -> Result<(), NotThere> {
        remove(&self.project.path(".vercel"));
        let built = build::run(&mut build::vercel_build(self.project.folder())?);
        // Ship takes a folder that Vercel has built for what it is: it is not to be there in ship's own turn.
        remove(&self.project.path(".vercel"));
        built
    }
}

/// A way to build all functions.
type Build<'e> = fn(&Functions<'e>) -> Result<(), NotThere>;

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
