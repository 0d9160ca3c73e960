//! Random traffic from a seed: processes with integer counters, scraped with jitter, and everything that goes wrong.
//!
//! Each target is lived through scrape by scrape. What it counts between two scrapes is drawn, so the generator knows
//! the true integers ([`Truth`]): per scrape and group, the events that the samples can tell. Events between the last
//! scrape of a process and its end are lost to anybody, and are not in the truth.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use slo::units::Labels;

use super::random::Random;
use super::world::{DAY, HOUR, MINUTE, SECOND, Sample, Series, Setting, World};

/// How the counters of a service are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// One metric, label `code`; the 5xx series are bad and total at once.
    Code,
    /// A metric of all requests, another of errors.
    Apart,
    /// A bucket (good) and a count, as `latency` has them.
    Bucket,
}

/// What to generate. Everything that happens follows from this value: the same recipe, the same traffic.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Seed of all draws.
    pub seed: u64,
    /// How long, in minutes.
    pub minutes: i64,
    /// How many targets.
    pub targets: usize,
    /// Seconds between scrapes.
    pub interval: i64,
    /// Slice in seconds.
    pub slice: i64,
    /// `G` in seconds.
    pub gap: i64,
    /// Names.
    pub naming: Naming,
    /// Whether series carry a `region`, and the SLO is `by: [region]`.
    pub grouped: bool,
    /// Whether `up` is sampled and asked.
    pub alive: bool,
    /// What goes wrong.
    pub trouble: Trouble,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// Processes restart, once exactly on the hour.
    pub resets: bool,
    /// The start times of processes are known.
    pub starts: bool,
    /// Counters go on under a new label.
    pub relabels: bool,
    /// Targets vanish for a while, under and over `G`, and one comes to life late.
    pub vanishing: bool,
    /// Targets fail their scrapes for a while: `up` is 0.
    pub outages: bool,
    /// The store has nothing at all for a while.
    pub store_outages: bool,
    /// Samples arrive late, by less than `G`.
    pub late: bool,
    /// There are minutes without any event.
    pub quiet: bool,
    /// We scrape by ourselves, and so know of each scrape that fails.
    pub scraped: bool,
}

/// Events that the sample at `at` adds, by what the process really counted.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Time of the scrape.
    pub at: i64,
    /// Group.
    pub group: Labels,
    /// Numerator events.
    pub events: i64,
    /// All events.
    pub total: i64,
}

/// What a recipe makes.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The samples.
    pub world: World,
    /// The SLO that counts them, without tiers.
    pub setting: Setting,
    /// What really happened, where `Recipe::truth_is_known`.
    pub truth: Vec<Truth>,
    /// First scrape time at the earliest.
    pub begin: i64,
    /// Last.
    pub end: i64,
}

impl Recipe {
    /// Whether the samples tell the whole truth: nothing was relabelled, and nobody was born anew without a witness.
    pub const fn truth_is_known(&self) -> bool {
        !self.trouble.relabels && !self.trouble.vanishing && !self.trouble.starts && !self.trouble.late
    }
}

/// Recipes with every kind of trouble, up to `minutes` long.
pub fn recipes(minutes: i64) -> impl Strategy<Value = Recipe> {
    let naming = prop_oneof![Just(Naming::Code), Just(Naming::Apart), Just(Naming::Bucket)];
    let flags = proptest::collection::vec(any::<bool>(), 9);
    let sizes = (30..=minutes, 1_usize..=3, prop_oneof![Just(15_i64), Just(30), Just(60)]);
    (any::<u64>(), sizes, naming, any::<bool>(), any::<bool>(), flags).prop_map(
        |(seed, (minutes, targets, interval), naming, grouped, alive, on)| Recipe {
            seed,
            minutes,
            targets,
            interval,
            slice: 30,
            gap: 300,
            naming,
            grouped,
            alive,
            trouble: Trouble {
                resets: on[0],
                starts: on[1],
                relabels: on[2],
                vanishing: on[3],
                outages: on[4],
                store_outages: on[5],
                late: on[6],
                quiet: on[7],
                scraped: on[8],
            },
        },
    )
}

/// A stretch of time, both ends included.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: i64,
    to: i64,
}

impl Span {
    fn any(random: &mut Random, begin: i64, end: i64, longest: i64) -> Self {
        let from = random.between(begin, end);
        Self { from, to: from + random.between(SECOND, longest) }
    }

    const fn holds(self, at: i64) -> bool {
        self.from <= at && at <= self.to
    }
}

/// A series of a process: the region, and whether it counts what the numerator does not (`false`) or does.
type Counter = (&'static str, bool);

/// One process with its counters, and what was scraped of it.
struct Target<'a> {
    recipe: &'a Recipe,
    random: Random,
    index: usize,
    version: i64,
    regions: Vec<&'static str>,
    /// What the process counts now; absent until its first event, as client libraries do.
    counters: BTreeMap<Counter, i64>,
    /// What its newest sample says, for each series ever seen.
    scraped: BTreeMap<Counter, i64>,
    /// Counters on its newest page.
    page: Vec<Counter>,
    /// Counters that the process has begun anew since they were scraped.
    restarted: Vec<Counter>,
    series: BTreeMap<String, Series>,
    truth: Vec<Truth>,
}

/// Makes the traffic of a recipe.
pub fn traffic(recipe: &Recipe) -> Traffic {
    let mut random = Random::new(recipe.seed, 0);
    let begin = 20_000 * DAY + random.between(0, 24 * 60) * MINUTE + random.between(0, 59) * SECOND;
    let end = begin + recipe.minutes * MINUTE;
    let gap = recipe.gap * SECOND;
    let store_out: Vec<Span> = if recipe.trouble.store_outages {
        (0..random.between(1, 2)).map(|_| Span::any(&mut random, begin, end, 3 * gap)).collect()
    } else {
        Vec::new()
    };
    let mut world = World::default();
    let mut truth = Vec::new();
    for index in 0..recipe.targets {
        let mut target = Target::new(recipe, index);
        target.live(begin, end, &store_out, &mut world);
        world.series.extend(target.series.into_values().filter(|series| !series.samples.is_empty()));
        truth.extend(target.truth);
    }
    let setting = Setting {
        slice: recipe.slice * SECOND,
        gap,
        by: if recipe.grouped { vec!["region".to_owned()] } else { Vec::new() },
        good: recipe.naming == Naming::Bucket,
        alive: recipe.alive,
        ..Setting::plain()
    };
    Traffic { world, setting, truth, begin, end }
}

impl<'a> Target<'a> {
    fn new(recipe: &'a Recipe, index: usize) -> Self {
        let mut random = Random::new(recipe.seed, 1 + u64::try_from(index).unwrap());
        let regions =
            if recipe.grouped { random.pick(&[&["eu", "us"][..], &["eu"], &["us"]]).to_vec() } else { vec![""] };
        Self {
            recipe,
            random,
            index,
            version: 1,
            regions,
            counters: BTreeMap::new(),
            scraped: BTreeMap::new(),
            page: Vec::new(),
            restarted: Vec::new(),
            series: BTreeMap::new(),
            truth: Vec::new(),
        }
    }

    fn live(&mut self, begin: i64, end: i64, store_out: &[Span], world: &mut World) {
        let trouble = self.recipe.trouble;
        let (interval, gap) = (self.recipe.interval * SECOND, self.recipe.gap * SECOND);
        let random = &mut self.random;
        let mut first = begin + random.between(0, interval);
        if trouble.vanishing && random.once_in(3) {
            first += random.between(0, (end - begin) / 2);
        }
        let mut spans = |on: bool, longest: i64| -> Vec<Span> {
            let many = if on { random.between(0, 2) } else { 0 };
            (0..many).map(|_| Span::any(random, begin, end, longest)).collect()
        };
        let (gone, failing, quiet) =
            (spans(trouble.vanishing, 3 * gap), spans(trouble.outages, 2 * gap), spans(trouble.quiet, 4 * gap));
        let restarts = self.restarts(begin, end);
        let started = first - self.random.between(SECOND, 2 * gap);
        self.start(started, world);
        self.count(30, true);
        let (mut time, mut tick) = (first, 0);
        while time <= end {
            let jitter = self.random.between(0, interval / 10);
            let at = time + jitter;
            for restart in restarts.iter().filter(|restart| time - interval < **restart && **restart <= time) {
                self.count(3, false);
                self.start(*restart, world);
            }
            if !quiet.iter().any(|span| span.holds(time)) {
                self.count(6, tick > 20);
            }
            if trouble.relabels && self.random.once_in(60) {
                self.relabel();
            }
            let hidden = store_out.iter().chain(&gone).any(|span| span.holds(at));
            let fails = failing.iter().any(|span| span.holds(at));
            if trouble.scraped && !hidden && at <= end {
                world.looks.push((self.place(), at));
            }
            if !hidden && at <= end {
                self.up(at, if fails { 0.0 } else { 1.0 });
            }
            if !hidden && !fails && at <= end {
                self.scrape(at);
            }
            tick += 1;
            time += interval;
        }
    }

    fn restarts(&mut self, begin: i64, end: i64) -> Vec<i64> {
        if !self.recipe.trouble.resets {
            return Vec::new();
        }
        let mut restarts = vec![self.random.between(begin, end)];
        if self.random.once_in(2) {
            restarts.push(self.random.between(begin, end) / HOUR * HOUR);
        }
        restarts.retain(|restart| *restart > begin);
        restarts.sort_unstable();
        restarts
    }

    /// The process starts (again): nothing is counted yet.
    fn start(&mut self, at: i64, world: &mut World) {
        self.restarted = self.scraped.keys().copied().collect();
        self.counters = self.regions.iter().map(|region| ((*region, false), 0)).collect();
        if self.recipe.trouble.starts && self.random.once_in(2) {
            world.starts.push((self.place(), at));
        }
    }

    /// Something happens in the process: up to `most` events a region, failures now and then.
    fn count(&mut self, most: i64, failures: bool) {
        for region in self.regions.clone() {
            let many = self.random.between(0, most);
            *self.counters.entry((region, false)).or_default() += many;
            let failed = if failures && self.random.once_in(4) { self.random.between(0, most / 2) } else { 0 };
            if failed > 0 {
                *self.counters.entry((region, true)).or_default() += failed;
            }
        }
    }

    /// All counters go on under a new label.
    fn relabel(&mut self) {
        self.version += 1;
        self.scraped.clear();
        self.restarted.clear();
    }

    fn up(&mut self, at: i64, value: f64) {
        if self.recipe.alive {
            let labels = self.place().iter().chain([("__name__", "up")]).map(owned).collect();
            self.push(labels, (false, false, true), Sample { at, value, arrived: at });
        }
    }

    /// One scrape: a sample of every counter, and what it truly adds.
    fn scrape(&mut self, at: i64) {
        let sibling = !self.scraped.is_empty();
        let late = if self.recipe.trouble.late && self.random.once_in(8) {
            self.random.between(0, self.recipe.gap * SECOND - 1)
        } else {
            0
        };
        let mut added: BTreeMap<&'static str, (i64, i64)> = BTreeMap::new();
        for (counter, mut value) in self.counters.clone() {
            let before = self.scraped.get(&counter).copied();
            let again = self.restarted.contains(&counter);
            // A counter that fell and passed its old value looks as if it had not fallen: keep it detectable.
            if let Some(before) = before.filter(|before| again && *before > 0 && value >= *before) {
                value = before - 1;
                self.counters.insert(counter, value);
            }
            let increase = match before {
                Some(_) if again => value,
                Some(before) => value - before,
                None if sibling && !self.replaces(counter) => value,
                None => 0,
            };
            self.scraped.insert(counter, value);
            self.restarted.retain(|other| *other != counter);
            let entry = added.entry(counter.0).or_default();
            *(if counter.1 { &mut entry.1 } else { &mut entry.0 }) += increase;
            let single = if self.recipe.trouble.late && self.random.once_in(40) { 20 * SECOND } else { 0 };
            self.write(counter, value, at, at + late.max(single));
        }
        self.page = self.counters.keys().copied().collect();
        for (region, (plain, failed)) in added {
            let (events, total) = match self.recipe.naming {
                Naming::Code => (failed, plain + failed),
                Naming::Apart | Naming::Bucket => (failed, plain),
            };
            let labels = if self.recipe.grouped { Labels::from([("region", region)]) } else { Labels::new() };
            self.truth.push(Truth { at, group: labels, events, total });
        }
    }

    /// Whether a new counter could be another one under a new label: one of its metric has left the page.
    fn replaces(&self, counter: Counter) -> bool {
        let same_metric = |other: &&Counter| self.recipe.naming == Naming::Code || other.1 == counter.1;
        self.page.iter().filter(same_metric).any(|other| !self.counters.contains_key(other))
    }

    fn write(&mut self, (region, numerator): Counter, value: i64, at: i64, arrived: i64) {
        let (metric, code, roles) = match (self.recipe.naming, numerator) {
            (Naming::Code, false) => ("requests_total", "200", (false, true, false)),
            (Naming::Code, true) => ("requests_total", "500", (true, true, false)),
            (Naming::Apart, false) => ("requests_total", "", (false, true, false)),
            (Naming::Apart, true) => ("errors_total", "", (true, false, false)),
            (Naming::Bucket, false) => ("seconds_count", "", (false, true, false)),
            (Naming::Bucket, true) => ("seconds_bucket", "", (true, false, false)),
        };
        let version = self.version.to_string();
        let own = [("__name__", metric), ("code", code), ("region", region), ("version", version.as_str())];
        let place = self.place();
        let labels = place.iter().chain(own).filter(|(_, value)| !value.is_empty()).map(owned).collect();
        self.push(labels, roles, Sample { at, value: value as f64, arrived });
    }

    fn push(&mut self, labels: Labels, roles: (bool, bool, bool), sample: Sample) {
        let series = self.series.entry(labels.to_string()).or_insert_with(|| Series {
            labels,
            events: roles.0,
            total: roles.1,
            alive: roles.2,
            samples: Vec::new(),
        });
        series.samples.push(sample);
    }

    fn place(&self) -> Labels {
        let instance = format!("host-{}:9100", self.index);
        Labels::from([("job", "shop"), ("instance", instance.as_str())])
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
