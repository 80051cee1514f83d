//! The key of an installation: it seals credentials at rest, and signs the tokens that workers report with.

use std::path::Path;
use std::sync::Arc;

use kalla_serving::private;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;

const LENGTH: usize = 32;
const CHECK: &str = "key check";

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("KALLA_SECRET_KEY: 64 hex digits are wanted, such as `openssl rand -hex 32` gives")]
    Form,
    #[error("{path}: 64 hex digits are wanted: restore the file from the backup that belongs to the database")]
    File { path: String },
    #[error("{path}: {reason}")]
    Unusable { path: String, reason: std::io::Error },
    #[error("the system gives no random numbers")]
    Random,
    #[error(
        "what is sealed was sealed with another key: set the KALLA_SECRET_KEY, or restore the key file, of this database"
    )]
    OtherKey,
}

/// Clones are the same key.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    sealing: LessSafeKey,
    tokens: hmac::Key,
    random: SystemRandom,
}

impl Keys {
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        Self::new(&parse(text).ok_or(KeyError::Form)?)
    }

    /// From a file that only its owner may read; a new one where there is none.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let shown = || path.display().to_string();
        let failed = |reason| KeyError::Unusable { path: shown(), reason };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::new(&parse(text.trim()).ok_or_else(|| KeyError::File { path: shown() })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = random()?;
                keep(path, &key).map_err(failed)?;
                Self::new(&key)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn new(master: &[u8; LENGTH]) -> Result<Self, KeyError> {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        // One key, one use.
        let sealing = hmac::sign(&master, b"kalla: sealing");
        let sealing = UnboundKey::new(&CHACHA20_POLY1305, sealing.as_ref()).map_err(|_| KeyError::Form)?;
        let tokens = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&master, b"kalla: callback tokens").as_ref());
        let random = SystemRandom::new();
        Ok(Self(Arc::new(Inner { sealing: LessSafeKey::new(sealing), tokens, random })))
    }

    /// `place` is what the bytes belong to: elsewhere they do not open.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        self.0.random.fill(&mut nonce).map_err(|_| KeyError::Random)?;
        let mut sealed = plain.to_vec();
        let (nonce, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(place.as_bytes()));
        let mut bytes = nonce.as_ref().to_vec();
        self.0.sealing.seal_in_place_append_tag(nonce, aad, &mut sealed).map_err(|_| KeyError::Random)?;
        bytes.extend(sealed);
        Ok(bytes)
    }

    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (nonce, bytes) = sealed.split_at_checked(NONCE_LEN).ok_or(KeyError::OtherKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::OtherKey)?;
        let mut bytes = bytes.to_vec();
        let plain = self.0.sealing.open_in_place(nonce, Aad::from(place.as_bytes()), &mut bytes);
        plain.map(|plain| plain.to_vec()).map_err(|_| KeyError::OtherKey)
    }

    /// Something sealed, for a database to keep.
    pub fn sealed_check(&self) -> Result<Vec<u8>, KeyError> {
        self.seal(CHECK, CHECK.as_bytes())
    }

    /// Whether this is the key of the database that keeps `sealed`.
    pub fn check(&self, sealed: &[u8]) -> Result<(), KeyError> {
        self.open(CHECK, sealed).map(drop)
    }

    /// What a worker shows when it reports on a run.
    pub fn token(&self, run_id: &str) -> String {
        hex::encode(hmac::sign(&self.0.tokens, run_id.as_bytes()).as_ref())
    }

    pub fn is_token(&self, run_id: &str, given: &str) -> bool {
        self.token(run_id).as_bytes().ct_eq(given.as_bytes()).into()
    }
}

fn random() -> Result<[u8; LENGTH], KeyError> {
    let mut key = [0; LENGTH];
    SystemRandom::new().fill(&mut key).map_err(|_| KeyError::Random)?;
    Ok(key)
}

/// A token that nobody guesses.
pub fn secret() -> Result<String, KeyError> {
    random().map(hex::encode)
}

fn keep(path: &Path, key: &[u8; LENGTH]) -> std::io::Result<()> {
    private::new_file(path, format!("{}\n", hex::encode(key)).as_bytes())
}

fn parse(text: &str) -> Option<[u8; LENGTH]> {
    let mut key = [0; LENGTH];
    hex::decode_to_slice(text, &mut key).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn keys(digit: &str) -> Keys {
        Keys::from_hex(&digit.repeat(64)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_place_and_nowhere_else() {
        let sealed = keys("a").seal("source/bank", b"postgres://me:secret@db/bank").unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("secret"));
        assert_eq!(keys("a").open("source/bank", &sealed).unwrap(), b"postgres://me:secret@db/bank");
        assert!(keys("b").open("source/bank", &sealed).is_err());
        assert!(keys("a").open("source/other", &sealed).is_err());
        assert!(keys("a").open("source/bank", &sealed[1..]).is_err());
        assert!(keys("a").open("source/bank", &[]).is_err());
        let check = keys("a").sealed_check().unwrap();
        assert!(keys("a").check(&check).is_ok() && keys("b").check(&check).is_err());
    }

    #[test]
    fn a_token_belongs_to_one_run_of_one_installation() {
        let token = keys("a").token("run");
        assert!(keys("a").is_token("run", &token));
        assert!(!keys("a").is_token("other", &token));
        assert!(!keys("b").is_token("run", &token));
        assert!(!keys("a").is_token("run", ""));
    }

    #[test]
    fn a_key_file_is_made_once_and_must_be_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/secret.key");
        let token = Keys::from_file(&path).unwrap().token("run");
        assert_eq!(Keys::from_file(&path).unwrap().token("run"), token);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "half").unwrap();
        assert!(matches!(Keys::from_file(&path), Err(KeyError::File { .. })));
        for wrong in ["", "abc", &"g".repeat(64), &"é".repeat(32)] {
            assert!(Keys::from_hex(wrong).is_err(), "{wrong}");
        }
    }
}
