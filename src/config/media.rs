//! Images: where their files are, and how much of them is taken.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

/// `media.*`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaConfig {
    /// The folder that files are kept in, unless there is a bucket. Servers and workers must see
    /// the same one.
    pub folder: PathBuf,
    /// The bucket that files are kept in.
    pub s3: Option<S3Config>,
    /// Most bytes of an upload; nginx takes as many.
    pub max_bytes: u32,
    /// Most pixels of an image; one that is decoded takes up to 4 bytes a pixel.
    pub max_pixels: u64,
    /// Images decoded at the same time, per process.
    pub parallel_decodes: usize,
    /// Uploads received at the same time, per process; each holds up to 10 MiB.
    pub parallel_uploads: usize,
    /// How long an upload may take, in seconds; a process that stops waits for 25.
    pub upload_timeout_s: u64,
    /// How long an upload address is good for, in seconds.
    pub upload_ttl_s: u32,
    /// How long an address of a post's image is good for, in seconds, at least; at most twice as
    /// long. Whoever may no longer see the post can fetch its images for no longer than that.
    pub content_link_s: u32,
    /// The same for an address of a person's avatar.
    pub person_link_s: u32,
    /// Hours after which an image that nothing shows is deleted.
    pub keep_unused_hours: u32,
    /// Images that a person may have at hand without showing them.
    pub max_unused: u32,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            folder: PathBuf::from(".local/objects"),
            s3: None,
            max_bytes: 10 * 1_024 * 1_024,
            max_pixels: 40_000_000,
            parallel_decodes: 2,
            parallel_uploads: 16,
            upload_timeout_s: 20,
            upload_ttl_s: 3_600,
            content_link_s: 900,
            person_link_s: 3_600,
            keep_unused_hours: 24,
            max_unused: 40,
        }
    }
}

impl MediaConfig {
    /// What cannot be, if anything.
    pub fn wrong(&self) -> Option<&'static str> {
        let bytes = i32::try_from(self.max_bytes).is_err() || self.max_bytes == 0;
        let never = self.parallel_decodes == 0
            || self.parallel_uploads == 0
            || self.upload_ttl_s == 0
            || self.keep_unused_hours == 0;
        let links = self.content_link_s == 0 || self.person_link_s == 0;
        match () {
            () if bytes => Some("media.max_bytes must be 1 to 2147483647"),
            () if never || links => Some(
                "media.parallel_*, media.*_ttl_s, media.*_link_s and media.keep_unused_hours must be at least 1",
            ),
            () => None,
        }
    }
}

/// `media.s3.*`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket; it must be there, and need not be readable by anybody else.
    pub bucket: String,
    /// What every name starts with.
    #[serde(default)]
    pub prefix: String,
    /// Its region.
    #[serde(default = "region")]
    pub region: String,
    /// The server, when it is not Amazon's: `http://minio:9000`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Who asks; without it the machine's own role.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Their secret.
    #[serde(default)]
    pub secret_access_key: Option<SecretString>,
    /// Whether `endpoint` may be without TLS.
    #[serde(default)]
    pub allow_http: bool,
}

fn region() -> String {
    "us-east-1".to_owned()
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("allow_http", &self.allow_http)
            .finish_non_exhaustive()
    }
}
