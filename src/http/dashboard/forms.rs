//! What pages with buttons share: who presses them, and that they hold still meanwhile.

use axum::body::Bytes;
use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use crate::http::app::App;
use crate::http::dashboard::layout::{Frame, problem_on};
use crate::http::error::ApiError;
use crate::http::query::Parameters;

/// Longest name that is taken, in characters.
const NAME_LONGEST: usize = 100;

/// A frame that does not load itself again: the page holds a form, or what came of one.
pub fn still(app: &App, uri: &Uri) -> Result<Frame, ApiError> {
    let mut frame = Frame::new(app, uri, &Parameters::default())?;
    (frame.refresh, frame.reloads) = (0, false);
    Ok(frame)
}

/// An error as a page that holds still.
pub fn problem(app: &App, uri: &Uri, error: &ApiError) -> Response {
    problem_on(still(app, uri), error)
}

/// Where whoever presses a button says who they are.
pub fn name_field() -> Markup {
    html! { label { "Your name" input name="by" maxlength=(NAME_LONGEST) autocomplete="name" placeholder="so that others know"; } }
}

/// The name that was typed in. It is a courtesy: without a form that can be read it is nobody's.
pub fn name(form: &Bytes) -> Option<String> {
    let form = std::str::from_utf8(form).ok()?;
    let uri: Uri = format!("/?{form}").parse().ok()?;
    let fields = Parameters::lenient(&uri).ok()?;
    let name: String = fields.one("by").ok()??.chars().filter(|c| !c.is_control()).take(NAME_LONGEST).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
