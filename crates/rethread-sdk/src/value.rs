use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type that can be an argument, an input or a result: owned, and serde can write and read it.
///
/// It is implemented for every such type; there is nothing to do but derive serde's traits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded, so it cannot be an argument or result",
    label = "this type is not serializable, not owned or not `Send`",
    note = "arguments and results travel between processes: derive `serde::Serialize` and \
            `serde::Deserialize`, and hold no references, `Rc`s or handles"
)]
pub trait Value: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Value for T {}
