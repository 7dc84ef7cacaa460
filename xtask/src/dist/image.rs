//! The image for containers: a host, and nothing else (OCI image layout 1.0, in one file).

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::error::DistError;
use super::materials::{CERTIFICATES, Materials};
use super::release::Release;
use super::tree::{Tree, gzip};

/// The account that the host runs as, which is nobody else's.
const OWNER: u64 = 65532;

/// Where the host keeps everything: what is to be kept outlives the container.
const HOME: &str = "var/lib/ship";

const ACCOUNTS: &str = "root:x:0:0:root:/:/sbin/nologin\nship:x:65532:65532:ship:/var/lib/ship:/sbin/nologin\n";
const GROUPS: &str = "root:x:0:\nship:x:65532:\n";

/// Names of machines, for a container that is given no such file.
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// What is referred to by its digest.
struct Blob {
    kind: &'static str,
    bytes: Vec<u8>,
}

/// The image's file.
pub(super) fn make(release: &Release, materials: &Materials) -> Result<Vec<u8>, DistError> {
    let layer = layer(materials).tar("", release.at)?;
    let content = hex(&layer);
    let layer = Blob { kind: "application/vnd.oci.image.layer.v1.tar+gzip", bytes: gzip(&layer)? };
    let config = json_blob("application/vnd.oci.image.config.v1+json", &config(release, &content));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    });
    let manifest = json_blob("application/vnd.oci.image.manifest.v1+json", &manifest);
    let mut described = manifest.descriptor();
    described["annotations"] = json!({ "org.opencontainers.image.ref.name": format!("ship:{}", release.version) });
    described["platform"] = json!({ "os": "linux", "architecture": release.machine.architecture });
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described],
    });
    let tree = Tree::default()
        .file("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string())
        .file("index.json", index.to_string());
    let blobs = [layer, config, manifest];
    blobs
        .into_iter()
        .fold(tree, |tree, blob| tree.file(format!("blobs/sha256/{}", hex(&blob.bytes)), blob.bytes))
        .tar("", release.at)
}

/// The only layer: what stands in the container.
fn layer(materials: &Materials) -> Tree {
    let tree = Tree::default()
        .program("usr/bin/ship", materials.program.as_slice())
        .file("usr/share/doc/ship/NOTICES", materials.notices.as_str())
        .file("etc/passwd", ACCOUNTS)
        .file("etc/group", GROUPS)
        .file("etc/hosts", HOSTS)
        .folder("tmp", 0o1777, 0)
        .folder(HOME, 0o700, OWNER);
    match &materials.certificates {
        Some(certificates) => tree.file(CERTIFICATES, certificates.as_slice()),
        None => tree,
    }
}

/// How the container runs, and what its layer is.
fn config(release: &Release, content: &str) -> Value {
    let at = i64::try_from(release.at).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    json!({
        "created": at.unwrap_or_default().to_string(),
        "architecture": release.machine.architecture,
        "os": "linux",
        "config": {
            "User": format!("{OWNER}:{OWNER}"),
            "ExposedPorts": { "8080/tcp": {}, "7701/tcp": {} },
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", format!("SHIP_HOME=/{HOME}")],
            "Entrypoint": ["/usr/bin/ship"],
            "Cmd": ["host", "--listen", "0.0.0.0:8080", "--control", "0.0.0.0:7701"],
            "Volumes": { format!("/{HOME}"): {} },
            "WorkingDir": format!("/{HOME}"),
            "StopSignal": "SIGTERM",
            "Labels": {
                "org.opencontainers.image.title": "ship",
                "org.opencontainers.image.version": release.version.to_string(),
                "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
                "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{content}")] },
    })
}

fn json_blob(kind: &'static str, content: &Value) -> Blob {
    Blob { kind, bytes: content.to_string().into_bytes() }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

impl Blob {
    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.kind, "digest": format!("sha256:{}", hex(&self.bytes)), "size": self.bytes.len() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    /// Whatever the image names by a digest is in it under that digest, from the index down to the layer.
    #[test]
    fn everything_is_there() {
        let materials = Materials {
            program: b"program".to_vec(),
            pages: Vec::new(),
            completions: Vec::new(),
            notices: String::new(),
            certificates: Some(b"trusted".to_vec()),
        };
        let release = Release::for_tests();
        let image = make(&release, &materials).unwrap();
        assert_eq!(image, make(&release, &materials).unwrap());
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(image.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(entry.path().unwrap().to_string_lossy().into_owned(), bytes);
        }
        let blob = |described: &Value| {
            let digest = described["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            let bytes = &files[&format!("blobs/sha256/{digest}")];
            assert_eq!((hex(bytes).as_str(), bytes.len() as u64), (digest, described["size"].as_u64().unwrap()));
            bytes.clone()
        };
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let index = parsed(&files["index.json"]);
        let manifest = parsed(&blob(&index["manifests"][0]));
        let config = parsed(&blob(&manifest["config"]));
        let mut layer = Vec::new();
        let packed = blob(&manifest["layers"][0]);
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut layer).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", hex(&layer)));
        let names: Vec<String> = tar::Archive::new(layer.as_slice())
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
            .collect();
        insta::assert_snapshot!(names.join("\n"), @"
        etc/
        etc/group
        etc/hosts
        etc/passwd
        etc/ssl/
        etc/ssl/certs/
        etc/ssl/certs/ca-certificates.crt
        tmp/
        usr/
        usr/bin/
        usr/bin/ship
        usr/share/
        usr/share/doc/
        usr/share/doc/ship/
        usr/share/doc/ship/NOTICES
        var/
        var/lib/
        var/lib/ship/
        ");
    }
}
