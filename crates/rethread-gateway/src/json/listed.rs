use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::{ApiError, ApiResult};

/// A list as the body of an answer, which may have so many bytes. Each member is put into its final
/// form at once, so that a list of large ones takes no more room than it has when it is sent.
#[derive(Debug)]
pub(crate) struct Listed {
    body: Vec<u8>,
    has_members: bool,
    bytes_max: usize,
    end: &'static [u8],
}

impl Listed {
    /// `[..]`.
    pub(crate) fn plain(bytes_max: usize) -> Self {
        Self { body: b"[".to_vec(), has_members: false, bytes_max, end: b"]" }
    }

    /// `{"items": [..]}`.
    pub(crate) fn items(bytes_max: usize) -> Self {
        Self { body: br#"{"items":["#.to_vec(), has_members: false, bytes_max, end: b"]}" }
    }

    /// Adds a member.
    ///
    /// # Errors
    /// 422 when the list has more bytes then than it may, unless it is the only one.
    pub(crate) fn push(&mut self, member: &impl Serialize) -> ApiResult<()> {
        if self.has_members {
            self.body.push(b',');
        }
        serde_json::to_writer(&mut self.body, member)?;
        if self.has_members && self.body.len() + self.end.len() > self.bytes_max {
            let max = self.bytes_max;
            return Err(ApiError::invalid(format_args!(
                "the answer would have more than {max} bytes: ask for fewer with `limit`, and for \
                 the rest with `offset` or `before`"
            )));
        }
        self.has_members = true;
        Ok(())
    }
}

impl IntoResponse for Listed {
    fn into_response(mut self) -> Response {
        self.body.extend_from_slice(self.end);
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], self.body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_so_many_bytes_and_one_member_in_any_case() {
        let mut list = Listed::plain(9);
        list.push(&"abc").expect("7 bytes");
        list.push(&1).expect("9 bytes");
        let error = list.push(&2).expect_err("11 bytes");
        assert!(error.detail().contains("more than 9 bytes"), "{}", error.detail());
        let mut list = Listed::items(9);
        list.push(&"a".repeat(100)).expect("the only one");
        list.push(&1).expect_err("another");
    }
}
