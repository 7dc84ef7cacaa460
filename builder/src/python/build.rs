//! Building functions in Python: one small program each, and layers that all of them share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ship_core::{Digest, DigestHasher, SitePath};

use super::dependencies::{Dependencies, Needs};
use super::error::PythonError;
use super::inputs::{ProjectInputs, PythonEntry, PythonInputs};
use super::install::Installer;
use super::interpreter::Interpreter;
use super::uv::Uv;
use super::{launcher, packages};
use crate::artifact::{CachedArtifact, Content, Member, Mode, unpacked_bytes};
use crate::assets::{self, FoundFiles};
use crate::build::{Artifacts, BuildError, BuildJob, BuiltArtifact, BuiltLayer};
use crate::detect::SiteFolder;
use crate::event::BuildEvent;
use crate::included::Inclusion;
use crate::scratch;
use crate::tree::{FileStat, TreeFile};

/// The folder of the layer that holds the project.
const PROJECT_MOUNT: &str = "project";

/// What artifacts are made of besides what their keys name. To be counted up when what is made of it changes.
const RECIPE: &[u8] = b"ship python 1";

/// Builds the functions of `inputs`.
pub(crate) fn build(inputs: &PythonInputs, job: &BuildJob<'_>) -> Result<Artifacts, BuildError> {
    let Some(project) = &inputs.project else { return Ok(Artifacts::new()) };
    let shop = Workshop { job };
    let interpreter = shop.interpreter(&project.needs)?;
    let launcher = shop.launcher()?;
    let packages = match (&project.needs.dependencies, &interpreter) {
        (Some(needed), Some(interpreter)) => Some(shop.packages(needed, interpreter)?),
        _ => None,
    };
    // Functions that want the same files share a layer of them.
    let mut projects: HashMap<&Inclusion, SharedLayer> = HashMap::new();
    let mut artifacts = Artifacts::new();
    for entry in &inputs.entries {
        let inclusion = &inputs.inclusions[&entry.name];
        let files = match projects.entry(inclusion) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(shop.project(project, &inputs.entries_with(inclusion))?),
        };
        let shared: Vec<&SharedLayer> = [&launcher, files].into_iter().chain(&packages).collect();
        let program = launcher::program(entry, interpreter.as_ref().and_then(|python| python.named.as_deref()));
        let key = key("program", &[program.as_bytes()]);
        let (artifact, was_known) = shop.kept(&key, || Ok(launcher::artifact(program)))?;
        let is_known = was_known && shared.iter().all(|layer| layer.is_cached);
        let built = if is_known { BuiltArtifact::cached(artifact) } else { BuiltArtifact::fresh(artifact) };
        let layers = shared.iter().map(|layer| layer.layer.clone()).collect();
        artifacts.insert(entry.name.clone(), built.with_layers(layers));
    }
    Ok(artifacts)
}

/// A layer, and whether the build cache had it.
struct SharedLayer {
    layer: BuiltLayer,
    is_cached: bool,
}

impl SharedLayer {
    fn new(mount: &str, (artifact, is_cached): (CachedArtifact, bool)) -> Self {
        let mount: SitePath = mount.parse().expect("the name of a folder that ship chose is a path");
        Self { layer: BuiltLayer { mount, artifact }, is_cached }
    }
}

struct Workshop<'b> {
    job: &'b BuildJob<'b>,
}

impl Workshop<'_> {
    /// The Python that packages are installed for. Where nothing is asked of it, none has to be there.
    fn interpreter(&self, needs: &Needs) -> Result<Option<Interpreter>, PythonError> {
        if needs.dependencies.is_none() && needs.wanted.is_empty() {
            return Ok(None);
        }
        let found = Interpreter::find(self.job.environment);
        let Some(interpreter) = found else {
            return match &needs.dependencies {
                Some(needed) => Err(PythonError::NoInterpreter { needed_for: needed.shown().to_owned() }),
                None => Ok(None),
            };
        };
        let Some(unmet) = needs.wanted.iter().find(|wanted| !wanted.is_met_by(interpreter.version)) else {
            return Ok(Some(interpreter));
        };
        if let Some(named) = Interpreter::find_named(&needs.wanted, self.job.environment) {
            return Ok(Some(named));
        }
        Err(PythonError::Version {
            place: unmet.place.clone(),
            wanted: unmet.text.clone(),
            found: interpreter.version,
            program: interpreter.program,
        })
    }

    fn launcher(&self) -> Result<SharedLayer, BuildError> {
        let key = key("launcher", &[launcher::digest().as_bytes()]);
        Ok(SharedLayer::new(launcher::MOUNT, self.kept(&key, || Ok(launcher::members()))?))
    }

    /// The files of the project that `entries` want, who all say the same of that.
    fn project(&self, project: &ProjectInputs, entries: &[&PythonEntry]) -> Result<SharedLayer, BuildError> {
        let site = self.job.site;
        let included = entries.first().map(|entry| self.job.included(&entry.name)).cloned().unwrap_or_default();
        let excluded = included.exclusions();
        let is_entry = |path: &str| entries.iter().any(|entry| entry.file == path);
        let FoundFiles { files, looked_at } = &project.sources;
        let mut files = files.clone();
        files.retain(|file| is_entry(file.path.as_str()) || !excluded.hold(file.path.as_str()));
        let found = FoundFiles { files: files.clone(), looked_at: *looked_at };
        // The same folder may be the site's too, with other files.
        let folder = SiteFolder { folder: site.base.clone(), ..site.clone() };
        let digested = assets::digest(found, &folder, &self.job.environment.cache_dir.join("python"))?;
        let mut hasher = DigestHasher::new();
        for asset in &digested.assets {
            hasher.update_field(asset.path.as_str().as_bytes());
            hasher.update_field(asset.digest.as_bytes());
        }
        for file in files.iter().filter(|file| self.mode_of(file) == Mode::Executable) {
            hasher.update_field(b"executable");
            hasher.update_field(file.path.as_str().as_bytes());
        }
        let key = included.key(key("project", &[hasher.finish().as_bytes()]));
        let members = || {
            let own = |file: &TreeFile| {
                let content = Content::File(site.base.join(file.path.as_str()));
                Member { name: file.path.as_str().to_owned(), content, mode: self.mode_of(file) }
            };
            let mut members = included.beside(files.iter().map(own).collect());
            for member in &mut members {
                member.name = format!("{PROJECT_MOUNT}/{}", member.name);
            }
            Ok(members)
        };
        let is_unchanged = || {
            let is_same = |file: &TreeFile| {
                let location = site.base.join(file.path.as_str());
                std::fs::metadata(location).is_ok_and(|now| FileStat::of(&now) == file.stat)
            };
            files.iter().all(is_same) && included.are_unchanged()
        };
        Ok(SharedLayer::new(PROJECT_MOUNT, self.kept_if(&key, members, is_unchanged)?))
    }

    /// What may be done with a file of the project. One that is gone by now is missed when it is read.
    fn mode_of(&self, file: &TreeFile) -> Mode {
        std::fs::metadata(self.job.site.base.join(file.path.as_str())).map_or(Mode::Data, |found| Mode::of(&found))
    }

    /// What the project depends on, installed now if this was not installed before.
    fn packages(&self, needed: &Dependencies, interpreter: &Interpreter) -> Result<SharedLayer, BuildError> {
        let version = interpreter.version.to_string();
        let key = key(
            "packages",
            &[needed.digest().as_bytes(), version.as_bytes(), self.job.options.arch.as_str().as_bytes()],
        );
        let known = if needed.has_folders { None } else { self.job.cache.find(&key) };
        if let Some(artifact) = known {
            return Ok(SharedLayer::new(packages::MOUNT, (artifact, true)));
        }
        let folder = self.job.environment.cache_dir.join("python");
        let failed = |source| PythonError::Storage { path: folder.clone(), source };
        let (scratch, _lock) = scratch::new_folder(&folder, "installing-").map_err(failed)?;
        let target = scratch.path().join("packages");
        std::fs::create_dir(&target).map_err(failed)?;
        let events = |event| self.job.tell(event);
        let file = needed.shown().to_owned();
        events(BuildEvent::PackagesInstalling { file: file.clone() });
        let uv = Uv::find(self.job.environment, &events)?;
        let installer = Installer { uv, interpreter, arch: self.job.options.arch, environment: self.job.environment };
        installer.install(needed, &target, scratch.path())?;
        let mut members = packages::members(&target)?;
        let bytes = unpacked_bytes(&members)?;
        if members.is_empty() {
            // A layer has its folder, also when there is nothing for this platform.
            members.push(Member::data(format!("{}/.empty", packages::MOUNT), Content::Bytes(Vec::new())));
        }
        let artifact = self.job.cache.store(members)?;
        self.job.cache.remember(&key, &artifact);
        events(BuildEvent::PackagesInstalled { file, bytes });
        Ok(SharedLayer::new(packages::MOUNT, (artifact, false)))
    }

    /// The artifact with `key`, made of `members` if the build cache does not have it.
    fn kept(
        &self,
        key: &Digest,
        members: impl FnOnce() -> Result<Vec<Member>, BuildError>,
    ) -> Result<(CachedArtifact, bool), BuildError> {
        self.kept_if(key, members, || true)
    }

    /// The same; a new one is remembered if `is_unchanged` says afterwards that its files are still those of the key.
    fn kept_if(
        &self,
        key: &Digest,
        members: impl FnOnce() -> Result<Vec<Member>, BuildError>,
        is_unchanged: impl FnOnce() -> bool,
    ) -> Result<(CachedArtifact, bool), BuildError> {
        if let Some(known) = self.job.cache.find(key) {
            return Ok((known, true));
        }
        let artifact = self.job.cache.store(members()?)?;
        if is_unchanged() {
            self.job.cache.remember(key, &artifact);
        }
        Ok((artifact, false))
    }
}

/// The key of something in the build cache.
fn key(what: &str, parts: &[&[u8]]) -> Digest {
    let mut hasher = DigestHasher::new();
    hasher.update_field(RECIPE);
    hasher.update_field(what.as_bytes());
    for part in parts {
        hasher.update_field(part);
    }
    hasher.finish()
}
