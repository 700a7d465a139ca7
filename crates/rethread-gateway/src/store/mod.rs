//! The long-term store of the programs.

mod items;
mod model;
mod search;

use crate::operation::{Operation, Routes};
use model::{
    Item, ItemDelete, ItemPut, ItemQuery, ItemsFound, ItemsSearch, NamespacesFound,
    NamespacesSearch,
};

const TAG: &str = "Store";
const ITEMS: &str = "/store/items";
const NAMESPACE: &str = "The namespace is empty or reserved.";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .add(
            Operation::put(ITEMS, "put_item", TAG, "Puts an item, replacing one of its name.")
                .body::<ItemPut>()
                .empty(204, "It is stored.")
                .fault(400, NAMESPACE),
            items::put,
        )
        .add(
            Operation::get(ITEMS, "get_item", TAG, "One item.")
                .query::<ItemQuery>()
                .json::<Option<Item>>(200, "The item, or null if there is none.")
                .fault(400, NAMESPACE),
            items::get,
        )
        .add(
            Operation::delete(ITEMS, "delete_item", TAG, "Removes an item.")
                .body::<ItemDelete>()
                .empty(204, "There is no such item any more.")
                .fault(400, NAMESPACE),
            items::delete,
        )
        .add(
            Operation::post("/store/items/search", "search_items", TAG, "Finds items.")
                .reads()
                .body::<ItemsSearch>()
                .json::<ItemsFound>(200, "Those that match.")
                .fault(400, NAMESPACE),
            search::items,
        )
        .add(
            Operation::post("/store/namespaces", "list_namespaces", TAG, "Lists namespaces.")
                .reads()
                .optional_body::<NamespacesSearch>()
                .json::<NamespacesFound>(200, "Namespaces, sorted.")
                .fault(400, NAMESPACE),
            search::namespaces,
        )
}
