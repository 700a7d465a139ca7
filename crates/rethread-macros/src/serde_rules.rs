//! What attributes of serde do to a state.

use proc_macro2::TokenStream;
use syn::Attribute;
use syn::meta::ParseNestedMeta;

/// Attributes of serde that a state cannot have, and what to do instead: its fields are recorded one
/// by one, by their names.
pub(crate) const NOT_OF_STATES: [(&str, &str); 10] = [
    ("rename_all", ONE_BY_ONE),
    ("rename_all_fields", ONE_BY_ONE),
    ("transparent", MAP_OF_FIELDS),
    ("tag", MAP_OF_FIELDS),
    ("content", MAP_OF_FIELDS),
    ("untagged", MAP_OF_FIELDS),
    ("from", MAP_OF_FIELDS),
    ("try_from", MAP_OF_FIELDS),
    ("into", MAP_OF_FIELDS),
    ("remote", MAP_OF_FIELDS),
];

const ONE_BY_ONE: &str = "fields of a state are renamed one by one: `#[serde(rename = ..)]`";

const MAP_OF_FIELDS: &str =
    "a state is recorded as a map of its fields: leave this out, or put it on the type of a field";

/// The same of fields.
pub(crate) const NOT_OF_FIELDS: [(&str, &str); 7] = [
    ("flatten", "fields of a state cannot be flattened"),
    ("with", OWN_ENCODING),
    ("serialize_with", OWN_ENCODING),
    ("deserialize_with", OWN_ENCODING),
    ("skip_serializing", READ_AND_WRITTEN),
    ("skip_deserializing", READ_AND_WRITTEN),
    ("alias", "a field of a state has one name: use `rename`, and write it everywhere"),
];

const OWN_ENCODING: &str = "updates of a field are encoded as its type is: give it a type that has \
                            this encoding itself";

const READ_AND_WRITTEN: &str =
    "a field of a state is both read and written: use `skip` for one that is neither";

/// Why an attribute cannot stand here, if it cannot.
pub(crate) fn refused(
    meta: &ParseNestedMeta<'_>,
    table: &[(&str, &'static str)],
) -> Option<&'static str> {
    table.iter().find(|(name, _)| meta.path.is_ident(name)).map(|(_, why)| *why)
}

/// Reads all attributes of serde. What does not parse is for serde to tell.
pub(crate) fn each_of_serde(
    attrs: &[Attribute],
    mut read: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attribute in attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        let _ = attribute.parse_nested_meta(&mut read);
    }
}

/// Passes over the value of a key that is not looked at.
pub(crate) fn skip_value(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(syn::Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let inner;
        syn::parenthesized!(inner in meta.input);
        inner.parse::<TokenStream>()?;
    }
    Ok(())
}
