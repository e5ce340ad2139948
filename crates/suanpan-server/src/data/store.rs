//! Chunks in a directory or in an S3-compatible bucket, by their hash.

use anyhow::{Context, Result, bail};
use axum::body::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, PutPayload};
use std::path::Path;
use std::sync::Arc;
use suanpan_model::id::BlobHash;

/// Where chunks are kept.
#[derive(Clone, Debug)]
pub struct ChunkStore {
    objects: Arc<dyn ObjectStore>,
    /// Key below which the chunks are, without a slash at its end.
    prefix: String,
}

impl ChunkStore {
    /// Opens `place`: a directory, `s3://bucket` or `s3://bucket/prefix`. A directory is made if
    /// it is not there. Credentials and endpoint of a bucket are those of the environment
    /// (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`).
    ///
    /// # Errors
    /// If the directory cannot be made or the URL is no bucket's.
    pub fn open(place: &str) -> Result<ChunkStore> {
        let Some(rest) = place.strip_prefix("s3://") else {
            if place.contains("://") {
                bail!("data.store: {place:?}: expected a directory, or s3://BUCKET/PREFIX");
            }
            return ChunkStore::in_directory(Path::new(place));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        if std::env::var("AWS_ENDPOINT_URL").is_ok_and(|url| url.starts_with("http://")) {
            builder = builder.with_allow_http(true);
        }
        let objects = builder.build().with_context(|| format!("data.store: {place}"))?;
        let prefix = prefix.trim_end_matches('/').to_owned();
        Ok(ChunkStore { objects: Arc::new(objects), prefix })
    }

    fn in_directory(path: &Path) -> Result<ChunkStore> {
        let cannot = || format!("data.store: cannot use the directory {}", path.display());
        std::fs::create_dir_all(path).with_context(cannot)?;
        let objects = LocalFileSystem::new_with_prefix(path).with_context(cannot)?;
        Ok(ChunkStore { objects: Arc::new(objects), prefix: String::new() })
    }

    fn key(&self, hash: BlobHash) -> Key {
        let name = hash.to_string();
        let below = if self.prefix.is_empty() { "" } else { "/" };
        Key::from(format!("{}{below}{}/{name}", self.prefix, &name[..2]))
    }

    /// Keeps a chunk. The caller has verified it.
    ///
    /// # Errors
    /// If the store cannot take it.
    pub async fn put(&self, hash: BlobHash, bytes: Bytes) -> object_store::Result<()> {
        self.objects.put(&self.key(hash), PutPayload::from_bytes(bytes)).await.map(|_| ())
    }

    /// The bytes of a chunk, verified; `None` if it is not there, or not what it was.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get(&self, hash: BlobHash) -> object_store::Result<Option<Bytes>> {
        let bytes = match self.objects.get(&self.key(hash)).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if *blake3::hash(&bytes).as_bytes() != hash.0 {
            tracing::error!(%hash, "a chunk in the object store is not what was put there");
            return Ok(None);
        }
        Ok(Some(bytes))
    }

    /// Lets a chunk go; one that is not there is gone already.
    ///
    /// # Errors
    /// If the store refuses.
    pub async fn remove(&self, hash: BlobHash) -> object_store::Result<()> {
        match self.objects.delete(&self.key(hash)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Every chunk that is there.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn list(&self) -> object_store::Result<Vec<BlobHash>> {
        let prefix = (!self.prefix.is_empty()).then(|| Key::from(self.prefix.as_str()));
        let mut listed = self.objects.list(prefix.as_ref());
        let mut found = Vec::new();
        while let Some(one) =
            std::future::poll_fn(|context| listed.as_mut().poll_next(context)).await
        {
            found.extend(one?.location.filename().and_then(BlobHash::from_hex));
        }
        Ok(found)
    }
}
