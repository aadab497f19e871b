//! A codec of one's own: payloads that nobody reads in the database.
//!
//! ```text
//! PAYLOAD_KEY=32_letters_that_nobody_ever_sees DATABASE_URL=postgres://localhost/app \
//!     cargo run -p pgq-examples --bin encrypted
//! ```

use std::sync::OnceLock;

use anyhow::{Context as _, anyhow};
use chacha20poly1305::aead::{Aead, Generate, KeyInit, Nonce};
use chacha20poly1305::{ChaCha20Poly1305, Key};
use pgq_postgres::{BoxError, Codec, Context, Enqueue, Job, JobResult, Json, Perform, Runner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgPool;

static KEY: OnceLock<Key> = OnceLock::new();

/// JSON, encrypted and sealed: a nonce, then the text.
struct Encrypted;

impl Codec for Encrypted {
    const TAG: u8 = 128;
    const SELF_DESCRIBING: bool = true;

    fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
        let mut plain = Vec::new();
        Json::encode(value, &mut plain)?;
        let nonce = Nonce::<ChaCha20Poly1305>::generate();
        out.extend_from_slice(&nonce);
        out.extend(cipher()?.encrypt(&nonce, plain.as_slice())?);
        Ok(())
    }

    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, BoxError> {
        let (nonce, sealed) = body.split_first_chunk::<12>().ok_or("it has no nonce")?;
        let plain = cipher()?
            .decrypt(nonce.into(), sealed)
            .map_err(|_| "another key sealed it, or it was changed")?;
        Json::decode(&plain)
    }
}

fn cipher() -> Result<ChaCha20Poly1305, BoxError> {
    Ok(ChaCha20Poly1305::new(KEY.get().ok_or("the key of the payloads is not set")?))
}

#[derive(Job)]
#[job(codec = Encrypted)]
struct SendPassword {
    user_id: i64,
    password: String,
}

impl Perform for SendPassword {
    async fn perform(&self, _: &Context) -> JobResult {
        println!("a password of {} letters for user {}", self.password.len(), self.user_id);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let key = std::env::var("PAYLOAD_KEY").context("set PAYLOAD_KEY to 32 letters")?;
    set_key(key.as_bytes())?;
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    pgq_postgres::migrate(&pool).await?;
    SendPassword { user_id: 7, password: "correct horse".into() }.enqueue(&pool).await?;
    Runner::from_registry().run().await?; // until SIGTERM or ctrl-c
    Ok(())
}

fn set_key(key: &[u8]) -> anyhow::Result<()> {
    let key: &Key = key.try_into().map_err(|_| anyhow!("the key has {} bytes, not 32", key.len()))?;
    KEY.set(*key).map_err(|_| anyhow!("the key is set already"))
}

#[cfg(test)]
mod tests {
    use pgq_postgres::{decode, encode};

    use super::*;

    #[test]
    fn payloads_are_read_back_and_show_nothing() {
        set_key(&[7; 32]).unwrap();
        let job = SendPassword { user_id: 7, password: "correct horse".into() };
        let bytes = encode(&job).unwrap();
        assert_eq!(decode::<SendPassword>(&bytes).unwrap().password, job.password);
        assert_ne!(encode(&job).unwrap(), bytes, "every payload has a nonce of its own");
        for secret in ["correct", "horse", "password", "user_id"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
        let mut changed = bytes.clone();
        changed[20] ^= 1;
        let error = decode::<SendPassword>(&changed).err().unwrap().to_string();
        assert!(error.ends_with("another key sealed it, or it was changed"), "{error}");
    }
}
