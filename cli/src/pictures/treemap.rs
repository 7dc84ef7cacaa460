//! Rectangles whose areas are as large as numbers, and that are as near to squares as they can be: the squarified treemap of Bruls, Huizing
//! and van Wijk (2000).

#![expect(clippy::cast_precision_loss, reason = "a picture has fewer places than a float")]

/// A rectangle, in units of whoever asks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A place in `area` for each of these sizes, which are sorted, the largest first.
pub(super) fn squarified(sizes: &[u64], area: Area) -> Vec<Area> {
    let total: f64 = sizes.iter().map(|size| *size as f64).sum();
    let scale = if total > 0.0 { area.width * area.height / total } else { 0.0 };
    let areas: Vec<f64> = sizes.iter().map(|size| *size as f64 * scale).collect();
    let mut placed = Vec::with_capacity(sizes.len());
    let (mut rest, mut left) = (area, &areas[..]);
    while !left.is_empty() {
        let row = row_length(left, rest.width.min(rest.height));
        let (in_row, behind) = left.split_at(row);
        rest = place_row(in_row, rest, &mut placed);
        left = behind;
    }
    placed
}

/// How many of the next areas stand in one row at a side: as many as make the worst of them better.
fn row_length(areas: &[f64], side: f64) -> usize {
    let worst = |count: usize| {
        let row = &areas[..count];
        let sum: f64 = row.iter().sum();
        let (most, least) = (row[0], row[count - 1]);
        if least <= 0.0 || sum <= 0.0 {
            return f64::INFINITY;
        }
        (side * side * most / (sum * sum)).max(sum * sum / (side * side * least))
    };
    let grows = (1..areas.len()).take_while(|count| worst(count + 1) <= worst(*count));
    1 + grows.count()
}

/// Places a row along the shorter side, and gives what is left.
fn place_row(row: &[f64], rest: Area, placed: &mut Vec<Area>) -> Area {
    let sum: f64 = row.iter().sum();
    let is_tall = rest.height >= rest.width;
    let side = if is_tall { rest.width } else { rest.height };
    let depth = if side > 0.0 { sum / side } else { 0.0 };
    let mut along = 0.0;
    for area in row {
        let length = if depth > 0.0 { area / depth } else { 0.0 };
        placed.push(if is_tall {
            Area { x: rest.x + along, y: rest.y, width: length, height: depth }
        } else {
            Area { x: rest.x, y: rest.y + along, width: depth, height: length }
        });
        along += length;
    }
    if is_tall {
        Area { y: rest.y + depth, height: (rest.height - depth).max(0.0), ..rest }
    } else {
        Area { x: rest.x + depth, width: (rest.width - depth).max(0.0), ..rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Area = Area { x: 0.0, y: 0.0, width: 6.0, height: 4.0 };

    /// The example of the paper: six by four, into seven parts.
    #[test]
    fn example() {
        let placed = squarified(&[6, 6, 4, 3, 2, 2, 1], WHOLE);
        let first = Area { x: 0.0, y: 0.0, width: 3.0, height: 2.0 };
        assert_eq!((placed[0], placed[1]), (first, Area { y: 2.0, ..first }));
        let areas: f64 = placed.iter().map(|area| area.width * area.height).sum();
        assert!((areas - 24.0).abs() < 1e-9, "{placed:?}");
    }

    /// Nothing stands outside, whatever the sizes are.
    #[test]
    fn inside() {
        for sizes in [&[][..], &[0], &[0, 0], &[1], &[u64::MAX, 1, 0], &[5; 500]] {
            for area in squarified(sizes, WHOLE) {
                let is_number = [area.x, area.y, area.width, area.height].iter().all(|value| value.is_finite());
                assert!(
                    is_number && area.x + area.width <= 6.0 + 1e-9 && area.y + area.height <= 4.0 + 1e-9,
                    "{area:?}"
                );
            }
        }
    }
}
