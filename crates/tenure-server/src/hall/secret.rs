//! A text that nobody guesses

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// A random text of 244 bits, 43 letters, digits, `-` and `_`
pub(crate) fn secret() -> String {
    let mut bytes = [0; 32];
    let halves = [Uuid::new_v4(), Uuid::new_v4()];
    for (byte, random) in bytes.iter_mut().zip(halves.iter().flat_map(|half| half.as_bytes())) {
        *byte = *random;
    }
    URL_SAFE_NO_PAD.encode(bytes)
}
