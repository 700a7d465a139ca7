//! Whatever bytes a worker or client hands in as a value: decoding ends in a value or an error
//! that names the type, and a value that was decoded survives the way to bytes and back.

#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rethread_core::payload::Payload;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    #[serde(default)]
    note: Option<String>,
    lines: Vec<(String, i32)>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    Gift { from: String },
    Split(Box<Kind>, u8),
}

fuzz_target!(|data: &[u8]| {
    let payload = Payload::from_bytes(Bytes::copy_from_slice(data));
    survives::<()>(&payload);
    survives::<u64>(&payload);
    survives::<String>(&payload);
    survives::<Option<Vec<i16>>>(&payload);
    survives::<BTreeMap<String, bool>>(&payload);
    survives::<Order>(&payload);
    survives::<serde_json::Value>(&payload);
});

fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(payload: &Payload) {
    match payload.decode::<T>("value under test") {
        Ok(value) => {
            let again = Payload::encode(&value, "value under test").expect("encodes");
            assert_eq!(again.decode::<T>("value under test").expect("decodes"), value);
        }
        Err(error) => assert!(error.to_string().contains("value under test")),
    }
}
