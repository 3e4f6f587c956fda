//! Images: where their files are, and how much of them is taken.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

/// `media.*`: images.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MediaConfig {
    /// Folder for image files, unless `media.s3` is set. All servers and workers must share it.
    pub folder: PathBuf,
    /// Bucket for image files, instead of a folder.
    pub s3: Option<S3Config>,
    /// Maximum size of an upload, in bytes; nginx has the same limit.
    pub max_bytes: u32,
    /// Maximum number of pixels of an image; fewer where they take more than `decode_memory_mib`.
    pub max_pixels: u64,
    /// Concurrent image decodings per process, at least 1; `decode_memory_mib` bounds them too.
    pub parallel_decodes: usize,
    /// Memory for image decodings per process, in MiB, at least 1. An image is decoded when its
    /// share is free: 4 to 13 bytes per pixel and more for its file, by its format. One that needs
    /// more than all of it is rejected.
    pub decode_memory_mib: u32,
    /// Concurrent uploads per process, at least 1; each holds up to 10 MiB.
    pub parallel_uploads: usize,
    /// Timeout of an upload, in seconds. A process that stops waits 25 s for uploads in progress.
    pub upload_timeout_s: u64,
    /// Lifetime of an upload URL, in seconds, at least 1.
    pub upload_ttl_s: u32,
    /// Minimum lifetime of the URL of a post's image, in seconds; the maximum is twice as long. A
    /// user who may no longer see a post can fetch its images for that time.
    pub content_link_s: u32,
    /// Minimum lifetime of the URL of an avatar, in seconds; the maximum is twice as long.
    pub person_link_s: u32,
    /// Time after which an image that nothing shows is deleted, in hours, at least 1.
    pub keep_unused_hours: u32,
    /// Maximum number of a user's images that nothing shows; the next one replaces the oldest that
    /// is ready, else the oldest that was announced more than a minute ago and not sent.
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
            decode_memory_mib: 384,
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
            || self.decode_memory_mib == 0
            || self.parallel_uploads == 0
            || self.upload_ttl_s == 0
            || self.keep_unused_hours == 0;
        let links = self.content_link_s == 0 || self.person_link_s == 0;
        match () {
            () if bytes => Some("media.max_bytes must be 1 to 2147483647"),
            () if never || links => Some(
                "media.parallel_*, media.decode_memory_mib, media.*_ttl_s, media.*_link_s and \
                 media.keep_unused_hours must be at least 1",
            ),
            () => None,
        }
    }
}

/// `media.s3.*`: a bucket of S3 or of a compatible service.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Name of the bucket. It must exist, and needs no public access.
    #[schemars(example = &"plaza-media")]
    pub bucket: String,
    /// Prefix of every object name.
    #[serde(default)]
    pub prefix: String,
    /// Region of the bucket.
    #[serde(default = "region")]
    pub region: String,
    /// URL of the service, if it is not Amazon's.
    #[serde(default)]
    #[schemars(example = "https://minio:9000")]
    pub endpoint: Option<String>,
    /// Access key id; without it the machine's role is used.
    #[serde(default)]
    #[schemars(example = &"AKIAIOSFODNN7EXAMPLE")]
    pub access_key_id: Option<String>,
    /// Secret of the access key.
    #[serde(default)]
    #[schemars(with = "Option<String>", example = &"secret")]
    pub secret_access_key: Option<SecretString>,
    /// Whether `endpoint` may use HTTP without TLS.
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
