//! A confusion matrix as a picture.

use i3d::{Error, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::score::Confusion;

/// The matrix's size in pixels, as long as its cells are neither too small for a name nor needlessly large.
const SIDE: usize = 640;
const CELLS: std::ops::RangeInclusive<usize> = 10..=64;
/// From this size on a cell has its count in it.
const COUNTED: usize = 26;
/// Pixels around the picture, and of its title.
const MARGIN: usize = 16;
const TITLE: usize = 40;

/// The matrix as SVG: a row per class, a column for what its videos were taken for, the darker the larger a share of the
/// row they are.
///
/// # Errors
/// What the drawing library reports.
pub fn svg(place: &str, title: &str, names: &[String], confusion: &Confusion) -> Result<String> {
    let mut svg = String::new();
    draw(title, names, confusion, &mut svg).map_err(|problem| {
        Error::io(place, std::io::Error::other(format!("it cannot be drawn ({problem})")))
    })?;
    Ok(svg)
}

fn draw(
    title: &str,
    names: &[String],
    confusion: &Confusion,
    svg: &mut String,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let cell = (SIDE / names.len().max(1)).clamp(*CELLS.start(), *CELLS.end());
    let size = (cell - 1).min(14) as f64;
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let labels = (longest as f64 * size * 0.62) as usize + 8;
    let side = cell * names.len();
    let (left, top) = ((MARGIN + labels) as i32, (MARGIN + TITLE + labels) as i32);
    let width = (left as usize + side + MARGIN).max(title.chars().count() * 10 + 2 * MARGIN);
    let height = top as usize + side + MARGIN;
    let area = SVGBackend::with_string(svg, (width as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let style = |size: f64, horizontal, vertical, color: &'static RGBColor| {
        TextStyle::from(("sans-serif", size).into_font()).color(color).pos(Pos::new(horizontal, vertical))
    };
    let text = |text: String, at: (i32, i32), style: TextStyle<'static>| Text::new(text, at, style);
    let margin = MARGIN as i32;
    area.draw(&text(title.to_string(), (margin, margin), style(18.0, HPos::Left, VPos::Top, &BLACK)))?;
    let legend = "rows: what a video shows; columns: what it is taken for";
    area.draw(&text(legend.to_string(), (margin, margin + 22), style(12.0, HPos::Left, VPos::Top, &GREY)))?;
    let at = |index: usize| (index * cell) as i32;
    let half = cell as i32 / 2;
    for (index, name) in names.iter().enumerate() {
        let row = style(size, HPos::Right, VPos::Center, &BLACK);
        area.draw(&text(name.clone(), (left - 4, top + at(index) + half), row))?;
        let column = style(size, HPos::Left, VPos::Center, &BLACK).transform(FontTransform::Rotate270);
        area.draw(&text(name.clone(), (left + at(index) + half, top - 4), column))?;
    }
    for (y, row) in confusion.rows().enumerate() {
        let all = row.iter().sum::<u64>().max(1) as f64;
        for (x, &count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = count as f64 / all;
            let corner = (left + at(x), top + at(y));
            let opposite = (corner.0 + cell as i32, corner.1 + cell as i32);
            // One video in a hundred must still be seen.
            let color = BLUE_INK.mix(0.12 + 0.88 * share);
            area.draw(&Rectangle::new([corner, opposite], color.filled()))?;
            if cell >= COUNTED {
                let ink = if share > 0.5 { &WHITE } else { &BLACK };
                let number = style(size, HPos::Center, VPos::Center, ink);
                area.draw(&text(count.to_string(), (corner.0 + half, corner.1 + half), number))?;
            }
        }
    }
    // Lines help the eye along rows: every one where they are few, every tenth where there are many.
    let step = if names.len() > 20 { 10 } else { 1 };
    for index in (0..=names.len()).filter(|index| index % step == 0 || *index == names.len()) {
        let (x, y) = (left + at(index), top + at(index));
        let end = (left + side as i32, top + side as i32);
        area.draw(&PathElement::new([(left, y), (end.0, y)], LINE))?;
        area.draw(&PathElement::new([(x, top), (x, end.1)], LINE))?;
    }
    area.present()?;
    Ok(())
}

const BLUE_INK: RGBColor = RGBColor(20, 80, 160);
const GREY: RGBColor = RGBColor(90, 90, 90);
const LINE: RGBColor = RGBColor(205, 210, 215);

#[cfg(test)]
mod tests {
    use super::*;

    /// Classes whose videos are mostly taken for what they are, and sometimes for a neighbour.
    fn picture(names: &[String]) -> Result<String> {
        let mut confusion = Confusion::new(names.len());
        for class in 0..names.len() {
            for video in 0..8 {
                let taken = if video < 6 { class } else { (class + video) % names.len() };
                let mut logits = vec![0.0; names.len()];
                logits[taken] = 1.0;
                confusion.add(class, &logits);
            }
        }
        svg("picture", "split 1, rgb", names, &confusion)
    }

    #[test]
    fn few_classes_have_their_counts_and_many_their_names() -> Result<()> {
        let few: Vec<String> = (1..=5).map(|index| format!("class {index}")).collect();
        let svg = picture(&few)?;
        assert_eq!(svg.matches("class 3").count(), 2, "a row and a column");
        assert!(svg.contains("\n6\n"), "{svg}");
        let many = i3d::labels::kinetics_400();
        let svg = picture(&many)?;
        assert_eq!(svg.matches("\nzumba\n").count(), 2);
        assert!(!svg.contains("\n6\n"), "no room for counts");
        Ok(())
    }
}
