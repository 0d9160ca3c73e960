//! `/api/v1/slos`: the list of instances, one of them, its series and its windows.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;

use crate::http::api::alerts::with_deliveries;
use crate::http::api::page;
use crate::http::app::{App, gone};
use crate::http::dto::instance::{Detail, Instance, Window};
use crate::http::dto::list::List;
use crate::http::dto::plot::Series;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::listing::{self, Choice, Cursor, SORTS, STATUSES};
use crate::http::query::{Parameters, bad};
use crate::runtime::service::{InstanceView, Summary};
use crate::units::{InstanceId, Length};

/// Points of a series where `points` is not said: about one a pixel pair of a plot.
const POINTS_DEFAULT: usize = 200;

/// Most points of a series.
const POINTS_MOST: usize = 2_000;

/// A part of the list, as views; the dashboard uses it too.
pub struct Part {
    /// The instances asked for.
    pub views: Vec<InstanceView>,
    /// Goes on there.
    pub next: Option<Cursor>,
    /// How many were chosen in all.
    pub total: usize,
    /// How many there are in each status, over all instances, in the order of `listing::STATUSES`.
    pub counts: [usize; STATUSES.len()],
}

/// What a request says about which instances it wants.
pub fn choice(parameters: &Parameters) -> Result<(Choice, String), ApiError> {
    let text = |name| parameters.one(name).map(|value| value.map(str::to_owned));
    let choice = Choice {
        text: text("q")?,
        service: text("service")?,
        owner: text("owner")?,
        statuses: parameters.choices("status", &STATUSES)?.into_iter().map(str::to_owned).collect(),
    };
    let sort = parameters.choice("sort", &SORTS)?.unwrap_or("worst").to_owned();
    Ok((choice, sort))
}

/// Chooses, orders and cuts on light rows, and works out the figures of the rows shown alone.
pub async fn part(
    app: &App,
    choice: Choice,
    sort: String,
    limit: usize,
    cursor: Option<Cursor>,
) -> Result<Part, ApiError> {
    app.compute(move |service| {
        let mut summaries = service.summaries();
        let counts = STATUSES.map(|status| summaries.iter().filter(|summary| summary.status == status).count());
        summaries.retain(|summary| choice.takes(summary));
        listing::sort(&mut summaries, &sort);
        let total = summaries.len();
        let (chosen, next) =
            listing::part(summaries, |summary: &Summary| summary.id.to_string(), cursor.as_ref(), limit);
        // One that went away in between is left out.
        let views = chosen.iter().filter_map(|summary| service.instance(&summary.id)).collect();
        Part { views, next, total, counts }
    })
    .await
}

/// All instances, worst first, with every figure of a list.
#[utoipa::path(
    get, path = "/api/v1/slos", tag = "slos",
    params(
        ("q" = Option<String>, Query, description = "text within the id or the owner, whatever the case"),
        ("service" = Option<String>, Query, description = "exact service"),
        ("owner" = Option<String>, Query, description = "exact owner"),
        ("status" = Option<String>, Query, description = "one status or several with commas between: page ticket notice down no_data inconclusive starting ok"),
        ("sort" = Option<String>, Query, description = "worst (default), remaining, burn or name"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 5000, description = "most items of a part, 500 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before"),
    ),
    responses(
        (status = 200, description = "a part of the list", body = List<Instance>),
        (status = 400, description = "a parameter that is not known or not allowed", body = ErrorBody),
    )
)]
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<List<Instance>>, ApiError> {
    let allowed = ["q", "service", "owner", "status", "sort", "limit", "cursor"];
    let parameters = Parameters::strict(&uri, &allowed)?;
    let (choice, sort) = choice(&parameters)?;
    let (limit, cursor) = page(&parameters)?;
    let part = part(&app, choice, sort, limit, cursor).await?;
    Ok(Json(List {
        items: part.views.iter().map(Instance::from).collect(),
        next_cursor: part.next.map(|cursor| cursor.write()),
        total: part.total,
        as_of: app.as_of(),
    }))
}

/// One SLO, or one group of it: every tier with its windows, the budget, open alerts, the reason.
#[utoipa::path(
    get, path = "/api/v1/slos/{service}/{name}", tag = "slos",
    params(
        ("service" = String, Path, description = "the service"),
        ("name" = String, Path, description = "the SLO's name"),
        ("group" = Option<String>, Query, description = "the text within the braces of the id, for an SLO with groups"),
    ),
    responses(
        (status = 200, description = "the instance", body = Detail),
        (status = 400, description = "`group_required`: the SLO has groups", body = ErrorBody),
        (status = 404, description = "no such SLO, or no such group", body = ErrorBody),
    )
)]
pub async fn one(
    State(app): State<App>,
    Path((service, name)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Detail>, ApiError> {
    let parameters = Parameters::strict(&uri, &["group"])?;
    let id = app.resolve(&service, &name, parameters.one("group")?)?;
    let view = view(&app, &id)?;
    let alerts = with_deliveries(&app, &view.alerts).await?;
    Ok(Json(Detail::new(&view, alerts)))
}

/// The past of an instance in equal steps, for plots.
#[utoipa::path(
    get, path = "/api/v1/slos/{service}/{name}/series", tag = "slos",
    params(
        ("service" = String, Path, description = "the service"),
        ("name" = String, Path, description = "the SLO's name"),
        ("group" = Option<String>, Query, description = "the text within the braces of the id, for an SLO with groups"),
        ("from" = Option<String>, Query, description = "RFC 3339 or seconds since the epoch; one window before `to` by default"),
        ("to" = Option<String>, Query, description = "RFC 3339 or seconds since the epoch; the watermark by default"),
        ("points" = Option<u32>, Query, minimum = 1, maximum = 2000, description = "most points, 200 by default"),
    ),
    responses(
        (status = 200, description = "the points, oldest first", body = Series),
        (status = 400, description = "a parameter that is not allowed, or `group_required`", body = ErrorBody),
        (status = 404, description = "no such SLO, or no such group", body = ErrorBody),
    )
)]
pub async fn series(
    State(app): State<App>,
    Path((service, name)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Series>, ApiError> {
    let parameters = Parameters::strict(&uri, &["group", "from", "to", "points"])?;
    let id = app.resolve(&service, &name, parameters.one("group")?)?;
    let view = view(&app, &id)?;
    let to = parameters.time("to")?.unwrap_or(view.as_of);
    let from = parameters.time("from")?.unwrap_or(to - view.window);
    if from >= to {
        return Err(bad("from", &format!("`from` is {from} and must be before `to`, which is {to}")));
    }
    let points = parameters.number("points", &(1..=POINTS_MOST), POINTS_DEFAULT)?;
    let asked = id.clone();
    let series = app.compute(move |service| service.series(&asked, from, to, points)).await?;
    series.map(|series| Json(Series::from(&series))).ok_or_else(|| gone(&id))
}

/// Any window that ends at the watermark, exactly as it was counted.
#[utoipa::path(
    get, path = "/api/v1/slos/{service}/{name}/window", tag = "slos",
    params(
        ("service" = String, Path, description = "the service"),
        ("name" = String, Path, description = "the SLO's name"),
        ("over" = String, Query, description = "its length, such as 1h"),
        ("group" = Option<String>, Query, description = "the text within the braces of the id, for an SLO with groups"),
    ),
    responses(
        (status = 200, description = "the window", body = Window),
        (status = 400, description = "a parameter that is not allowed, or `group_required`", body = ErrorBody),
        (status = 404, description = "no such SLO, or no such group", body = ErrorBody),
    )
)]
pub async fn window(
    State(app): State<App>,
    Path((service, name)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Window>, ApiError> {
    let parameters = Parameters::strict(&uri, &["over", "group"])?;
    let id = app.resolve(&service, &name, parameters.one("group")?)?;
    let over: Length = parameters
        .parsed("over")?
        .filter(|over| *over > Length::ZERO)
        .ok_or_else(|| bad("over", "`over` says how long the window is, for example `over=1h`"))?;
    let longest = view(&app, &id)?.window;
    let window = app.service.window(&id, over).ok_or_else(|| {
        bad("over", &format!("`over` is {over}, and no window of that length is held; the period is {longest}"))
    })?;
    Ok(Json(Window::from(&window)))
}

fn view(app: &App, id: &InstanceId) -> Result<InstanceView, ApiError> {
    app.service.instance(id).ok_or_else(|| gone(id))
}
