//! I3D for web pages: the library behind JavaScript's way of calling things.
//!
//! A page decodes a video, which browsers do well, and hands over its frames; everything between the frames and the result is
//! the library's. [`Engine`] is a device with networks. Errors arrive as JavaScript's `Error` with the library's stable name of
//! its kind in `code`. Nothing here blocks on a GPU, and nothing asks the network for anything.

mod convert;
mod engine;
mod frame;
mod pass;
mod pictures;
mod types;

pub use convert::{ModelFile, convert, models};
pub use engine::Engine;
pub use frame::orientation;
pub use pictures::Pictures;

use js_sys::{Error as JsError, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// What a call gives, as JavaScript sees it.
type Answer<T> = Result<T, JsValue>;

/// Runs when the module starts: a fault of the program becomes a readable message.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// The library's error as JavaScript's, with its `code`.
fn thrown(error: i3d::Error) -> JsValue {
    let thrown = JsError::new(&error.to_string());
    // Setting a property of an object that was just made cannot fail.
    let _ = Reflect::set(&thrown, &"code".into(), &error.code().into());
    thrown.into()
}

/// Data as plain JavaScript objects.
fn plain(value: &impl Serialize) -> Answer<JsValue> {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).map_err(Into::into)
}
