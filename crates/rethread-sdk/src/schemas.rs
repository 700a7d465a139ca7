//! What an entrypoint tells those who start it without its types.

use rethread_core::ids::Millis;
use serde::Serialize;

/// A JSON Schema, or a drawing.
#[cfg(feature = "json")]
pub(crate) type Json = serde_json::Value;
/// There are none.
#[cfg(not(feature = "json"))]
pub(crate) type Json = ();

/// JSON Schemas of an entrypoint, as far as it gives them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemas {
    pub(crate) input: Option<Json>,
    pub(crate) output: Option<Json>,
    pub(crate) interrupt: Option<Json>,
}

/// What coordinators publish of an entrypoint; gateways read it.
#[derive(Debug, Serialize)]
pub(crate) struct Description<'a> {
    pub(crate) name: &'a str,
    /// Of what it takes.
    pub(crate) input_schema: Option<&'a Json>,
    /// Of what it gives.
    pub(crate) output_schema: Option<&'a Json>,
    /// Of what it asks people.
    pub(crate) interrupt_schema: Option<&'a Json>,
    /// Of a graph: its nodes and edges.
    pub(crate) graph: Option<Json>,
    pub(crate) published_at: Millis,
}

impl<'a> Description<'a> {
    pub(crate) fn new(
        name: &'a str,
        schemas: &'a Schemas,
        graph: Option<Json>,
        published_at: Millis,
    ) -> Self {
        let Schemas { input, output, interrupt } = schemas;
        let (input_schema, output_schema) = (input.as_ref(), output.as_ref());
        Self {
            name,
            input_schema,
            output_schema,
            interrupt_schema: interrupt.as_ref(),
            graph,
            published_at,
        }
    }
}

/// The schema of what is read as a `T`.
#[cfg(feature = "schemas")]
pub(crate) fn read_as<T: schemars::JsonSchema>() -> Json {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.for_deserialize().into_generator().into_root_schema_for::<T>().to_value()
}

/// The schema of what a `T` is written as.
#[cfg(feature = "schemas")]
pub(crate) fn written_as<T: schemars::JsonSchema>() -> Json {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}
