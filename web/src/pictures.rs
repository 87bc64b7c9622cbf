//! GIF, WebP, PNG, JPEG and BMP through the library's own decoder: what is an animation to the browser is a video to a network.

use i3d::video::{Animation, Frame, FrameSource, Pixels, from_image_bytes};
use wasm_bindgen::prelude::*;

use crate::{Answer, plain, thrown};

/// An animation, frame by frame.
#[wasm_bindgen]
pub struct Pictures {
    source: Animation,
    frame: Option<Frame>,
}

#[wasm_bindgen]
impl Pictures {
    /// Opens a picture file in memory; `place` names it in errors.
    #[wasm_bindgen(constructor)]
    pub fn new(place: &str, bytes: Vec<u8>) -> Answer<Pictures> {
        let source = from_image_bytes(place, bytes).map_err(thrown)?;
        Ok(Pictures { source, frame: None })
    }

    /// What the file says.
    #[wasm_bindgen(unchecked_return_type = "VideoInfo")]
    pub fn info(&self) -> Answer<JsValue> {
        plain(self.source.info())
    }

    /// Goes to the next frame and gives its time in seconds; nothing after the last.
    pub fn advance(&mut self) -> Answer<Option<f64>> {
        self.frame = self.source.next_frame().map_err(thrown)?;
        Ok(self.frame.as_ref().map(|frame| frame.seconds))
    }

    /// The samples of the current frame, interleaved red, green and blue.
    pub fn rgb(&self) -> Vec<u8> {
        match self.frame.as_ref().map(|frame| &frame.pixels) {
            Some(Pixels::Rgb(rgb)) => rgb.clone(),
            _ => Vec::new(),
        }
    }
}
