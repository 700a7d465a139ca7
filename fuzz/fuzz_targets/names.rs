//! Names as keys: whatever bytes stand where the sortable form of a name should be, it is read
//! back to the same bytes or refused; and two names sort as their forms do.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rethread_core::store::Namespace;
use rethread_storage::ItemName;

fuzz_target!(|data: &[u8]| {
    if let Some(name) = ItemName::from_sortable(data) {
        assert_eq!(name.to_sortable(), data);
    }
    let text = String::from_utf8_lossy(data);
    let mut halves = text.splitn(2, '|');
    let (first, second) = (halves.next().and_then(name), halves.next().and_then(name));
    for name in first.iter().chain(&second) {
        assert_eq!(ItemName::from_sortable(&name.to_sortable()).as_ref(), Some(name));
        let labels = name.namespace.labels();
        assert!(name.to_sortable().starts_with(&ItemName::sortable_namespace(labels)));
    }
    if let (Some(first), Some(second)) = (first, second) {
        assert_eq!(first.cmp(&second), first.to_sortable().cmp(&second.to_sortable()));
    }
});

/// Labels and a key, parted by slashes.
fn name(text: &str) -> Option<ItemName> {
    let (labels, key) = text.rsplit_once('/')?;
    let namespace = Namespace::new(labels.split('/')).ok()?;
    Some(ItemName { namespace, key: key.to_owned() })
}
