//! Plots of figures: an SVG with a group of bars per workload, and one with a chart per curve.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::curve::Curve;
use crate::report::{Entry, Report};

/// Height of a bar in pixels.
const BAR: i32 = 16;
const GAP: i32 = 34;
const LEFT: i32 = 200;
const WIDTH: u32 = 900;

const COLOURS: &[RGBColor] = &[
    RGBColor(31, 92, 153),
    RGBColor(178, 102, 51),
    RGBColor(92, 140, 77),
    RGBColor(140, 92, 140),
    RGBColor(178, 153, 51),
    RGBColor(128, 128, 128),
    RGBColor(178, 178, 178),
];

/// Writes `compare.svg`: bars relative to the best figure of each workload.
///
/// # Errors
/// The file cannot be written.
pub fn write(report: &Report, folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("compare.svg");
    let bars: usize = report.entries.iter().map(|entry| entry.rounds.len()).sum();
    let height = bars as i32 * BAR + report.entries.len() as i32 * GAP + 60;
    let root = SVGBackend::new(&path, (WIDTH, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = ("sans-serif", 14).into_font();
    root.draw(&Text::new(report.machine.clone(), (10, 10), title))?;
    let mut y = 40;
    for entry in &report.entries {
        y = group(report, entry, &root, y)?;
    }
    root.present()?;
    println!("{}", path.display());
    Ok(())
}

fn group(
    report: &Report,
    entry: &Entry,
    root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    mut y: i32,
) -> Result<i32, Box<dyn Error>> {
    let font = ("sans-serif", 13).into_font();
    let unit = format!("{} ({:?})", entry.workload, entry.unit);
    root.draw(&Text::new(unit, (10, y), font.clone()))?;
    y += BAR + 4;
    let figure = |name: &str| entry.median_of(name, |row| row.figure);
    let most = report.servers.iter().filter_map(|about| figure(&about.name)).fold(0.0, f64::max);
    for (number, about) in report.servers.iter().enumerate() {
        let Some(value) = figure(&about.name) else { continue };
        let length = (value / most.max(1e-9) * f64::from(WIDTH as i32 - LEFT - 120)) as i32;
        let colour = COLOURS[number % COLOURS.len()].filled();
        root.draw(&Text::new(about.name.clone(), (30, y), font.clone()))?;
        root.draw(&Rectangle::new([(LEFT, y), (LEFT + length.max(1), y + BAR - 4)], colour))?;
        let label = crate::report::short(value);
        root.draw(&Text::new(label, (LEFT + length + 6, y), font.clone()))?;
        y += BAR;
    }
    Ok(y + GAP - BAR - 4)
}

/// Writes `growth.svg`: a chart per curve, with logarithmic axes.
///
/// # Errors
/// The file cannot be written.
pub fn curves(curves: &[Curve], folder: &Path) -> Result<(), Box<dyn Error>> {
    const COLUMNS: usize = 3;
    const SIDE: (u32, u32) = (330, 210);
    std::fs::create_dir_all(folder)?;
    let path = folder.join("growth.svg");
    let drawn: Vec<&Curve> = curves.iter().filter(|curve| curve.points.len() > 1).collect();
    let rows = drawn.len().div_ceil(COLUMNS);
    let size = (SIDE.0 * COLUMNS as u32, SIDE.1 * rows as u32);
    let root = SVGBackend::new(&path, size).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, curve) in root.split_evenly((rows, COLUMNS)).iter().zip(drawn) {
        let sizes = curve.points.iter().map(|(size, _)| *size as f64);
        let (least, most) = (sizes.clone().fold(f64::MAX, f64::min), sizes.fold(0.0, f64::max));
        let figures = curve.points.iter().map(|(_, figure)| *figure);
        let (low, high) =
            (figures.clone().fold(f64::MAX, f64::min), figures.fold(0.0_f64, f64::max));
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{} by {}", curve.what, curve.along), ("sans-serif", 12))
            .margin(8)
            .x_label_area_size(22)
            .y_label_area_size(44)
            .build_cartesian_2d((least..most).log_scale(), (low / 4.0..high * 4.0).log_scale())?;
        chart.configure_mesh().x_labels(5).y_labels(4).draw()?;
        let points = || curve.points.iter().map(|(size, figure)| (*size as f64, *figure));
        chart.draw_series(LineSeries::new(points(), COLOURS[0].stroke_width(2)))?;
        chart.draw_series(points().map(|point| Circle::new(point, 3, COLOURS[0].filled())))?;
    }
    root.present()?;
    println!("{}", path.display());
    Ok(())
}
