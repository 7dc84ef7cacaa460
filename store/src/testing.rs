//! What the tests of several modules deploy, and how they look at what is kept.

use std::error::Error;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ship_core::route::RouteTable;
use ship_core::{
    Asset, BranchName, DeploymentId, Digest, Function, FunctionLimits, FunctionRuntime, Manifest, ProjectName, Target,
};
use zip::write::SimpleFileOptions;

use crate::{DeploymentSource, PublishOptions, Republish, StageRequest, StagedDeployment, Store};

/// A site as somebody deploys it.
#[derive(Clone, Debug)]
pub(crate) struct TestSite {
    pub(crate) project: ProjectName,
    pub(crate) branch: Option<BranchName>,
    pub(crate) target: Target,
    files: Vec<(String, Vec<u8>)>,
    /// The artifact of its function `api/date`, if it has one.
    artifact: Option<Vec<u8>>,
}

impl TestSite {
    pub(crate) fn new(project: &str) -> Self {
        let (branch, target) = (None, Target::Preview);
        Self { project: project.parse().unwrap(), branch, target, files: Vec::new(), artifact: None }
    }

    pub(crate) fn on(mut self, branch: &str) -> Self {
        self.branch = Some(branch.parse().unwrap());
        self
    }

    pub(crate) fn for_production(mut self) -> Self {
        self.target = Target::Production;
        self
    }

    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path.to_owned(), content.as_ref().to_owned()));
        self
    }

    pub(crate) fn function(mut self, program: &str) -> Self {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        writer.write_all(program.as_bytes()).unwrap();
        self.artifact = Some(writer.finish().unwrap().into_inner());
        self
    }

    /// All that it uploads.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|(_, content)| content.as_slice()).chain(self.artifact.as_deref())
    }

    pub(crate) fn has_function(&self) -> bool {
        self.artifact.is_some()
    }

    pub(crate) fn artifact(&self) -> Function {
        let artifact = self.artifact.as_ref().unwrap();
        Function {
            name: "api/date".parse().unwrap(),
            runtime: FunctionRuntime::Go,
            digest: Digest::of(artifact),
            size_bytes: artifact.len() as u64,
            limits: FunctionLimits::default(),
            layers: Vec::new(),
            warm: Vec::new(),
        }
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let asset = |(path, content): &(String, Vec<u8>)| Asset {
            path: path.parse().unwrap(),
            digest: Digest::of(content),
            size_bytes: content.len() as u64,
            media_type: "text/plain".parse().unwrap(),
        };
        let functions = self.artifact.iter().map(|_| self.artifact()).collect();
        Manifest::new(self.files.iter().map(asset).collect(), functions, RouteTable::default(), Vec::new()).unwrap()
    }

    pub(crate) fn id(&self) -> DeploymentId {
        self.manifest().deployment_id(&self.project)
    }

    pub(crate) fn upload(&self, store: &Store) -> Result<(), Box<dyn Error>> {
        let mut batch = store.blobs().batch()?;
        for content in self.contents() {
            let mut writer = batch.begin(Digest::of(content), content.len() as u64)?;
            writer.write(content)?;
            writer.finish()?;
        }
        batch.commit()?;
        Ok(())
    }

    pub(crate) fn stage(&self, store: &Store, at: Timestamp) -> Result<StagedDeployment, Box<dyn Error>> {
        let manifest = self.manifest();
        Ok(store.deployments().stage(StageRequest {
            project: &self.project,
            manifest: &manifest,
            canonical_json: &manifest.to_canonical_json(),
            source: DeploymentSource { branch: self.branch.clone(), commit: None },
            target: self.target,
            at,
        })?)
    }

    pub(crate) fn publish_options(&self, at: Timestamp) -> PublishOptions {
        PublishOptions { target: self.target, branch: self.branch.clone(), republish: Republish::IfChanged, at }
    }

    /// All that a deploy does: everything is uploaded, staged, unpacked and published.
    pub(crate) fn deploy(&self, store: &Store, at: Timestamp) -> Result<DeploymentId, Box<dyn Error>> {
        self.upload(store)?;
        let staged = self.stage(store, at)?;
        if self.artifact.is_some() {
            store.functions().unpack(&self.artifact())?;
        }
        Ok(store.deployments().publish(staged, self.publish_options(at))?.record.id)
    }

    /// Whether the store gives back all that was deployed.
    pub(crate) fn is_whole(&self, store: &Store) -> bool {
        let is_there = |content: &[u8]| store.blobs().read(&Digest::of(content)).is_ok_and(|bytes| bytes == content);
        store.deployments().manifest(&self.id()).is_ok_and(|manifest| manifest == self.manifest())
            && self.contents().all(is_there)
            && (self.artifact.is_none() || store.functions().unpack(&self.artifact()).is_ok())
    }
}

/// A moment that tests begin at.
pub(crate) fn noon() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

/// The file of a blob.
pub(crate) fn blob_file(data: &Path, content: &[u8]) -> PathBuf {
    let name = Digest::of(content).to_hex();
    data.join("blobs").join(&name[..2]).join(&name[2..])
}

/// Damages a file as a bad disk does: one bit is another, and the size is as before.
pub(crate) fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    overwrite(file, &bytes);
}

/// Writes into a file, whatever its mode.
pub(crate) fn overwrite(file: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().unwrap().permissions();
    fs::set_permissions(file, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, mode).unwrap();
}
