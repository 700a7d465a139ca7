//! What needs the inside of the adapter.

mod damage;
mod full;
