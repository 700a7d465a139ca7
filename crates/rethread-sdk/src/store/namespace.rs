use rethread_core::failure::kind;
use rethread_core::store::Namespace;

use crate::error::{Error, Result};

/// What can be the namespace of an item, or part of one: labels, from the general to the special.
///
/// Arrays, slices and vectors of texts, and tuples of up to four, which may mix their types:
/// `["users", "ada"]`, `("users", &user_id)`. `()` is no label at all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a namespace",
    label = "expected labels, such as `[\"users\", \"ada\"]` or `(\"users\", &user_id)`"
)]
pub trait IntoNamespace {
    /// The labels.
    fn into_labels(self) -> Vec<String>;
}

impl IntoNamespace for () {
    fn into_labels(self) -> Vec<String> {
        Vec::new()
    }
}

impl<L: AsRef<str>, const N: usize> IntoNamespace for [L; N] {
    fn into_labels(self) -> Vec<String> {
        self.as_slice().into_labels()
    }
}

impl<L: AsRef<str>, const N: usize> IntoNamespace for &[L; N] {
    fn into_labels(self) -> Vec<String> {
        self.as_slice().into_labels()
    }
}

impl<L: AsRef<str>> IntoNamespace for &[L] {
    fn into_labels(self) -> Vec<String> {
        self.iter().map(|label| label.as_ref().to_owned()).collect()
    }
}

impl<L: AsRef<str>> IntoNamespace for Vec<L> {
    fn into_labels(self) -> Vec<String> {
        self.as_slice().into_labels()
    }
}

impl<L: AsRef<str>> IntoNamespace for &Vec<L> {
    fn into_labels(self) -> Vec<String> {
        self.as_slice().into_labels()
    }
}

macro_rules! tuple {
    ($($label:ident)*) => {
        impl<$($label: AsRef<str>),*> IntoNamespace for ($($label,)*) {
            #[allow(non_snake_case, reason = "the type parameters name the variables too")]
            fn into_labels(self) -> Vec<String> {
                let ($($label,)*) = self;
                vec![$($label.as_ref().to_owned()),*]
            }
        }
    };
}

tuple!(L1);
tuple!(L1 L2);
tuple!(L1 L2 L3);
tuple!(L1 L2 L3 L4);

/// The namespace of an item.
pub(super) fn checked(labels: impl IntoNamespace) -> Result<Namespace> {
    Namespace::new(labels.into_labels())
        .map_err(|error| Error::new(kind::INVALID_NAMESPACE, error.to_string()).retryable(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_in_many_forms() {
        let id = "ada".to_owned();
        let expected = ["users", "ada"];
        assert_eq!(["users", &id].into_labels(), expected);
        assert_eq!(("users", &id).into_labels(), expected);
        assert_eq!(("users".to_owned(), id).into_labels(), expected);
        assert_eq!(vec!["users", "ada"].into_labels(), expected);
        assert_eq!(expected[..].into_labels(), expected);
        assert_eq!((&expected).into_labels(), expected);
        assert_eq!((&["users".to_owned(), "ada".to_owned()].to_vec()).into_labels(), expected);
        assert_eq!(().into_labels(), [""; 0]);
    }

    #[test]
    fn bad_namespaces_are_of_their_own_kind() {
        for labels in [vec![], vec![""], vec!["a.b"], vec!["langgraph"]] {
            let error = checked(labels).expect_err("bad");
            assert_eq!((error.kind(), error.is_retryable()), (kind::INVALID_NAMESPACE, false));
        }
    }
}
