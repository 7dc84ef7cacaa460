//! The colours and letters of all plots, for light and for dark pages.

/// The style of a plot. It brings its own ground, so that it can be read on any page; whether it is light or dark is what the reader's system
/// prefers. Colours are from the palette of Okabe and Ito, which people tell apart who see colours differently, lightened for dark grounds.
pub(super) const STYLE: &str = "\
  .ground{fill:#fff;stroke:#e3e6ea}.title{font-size:15px;font-weight:600}.text,.title{fill:#1b1f24}.quiet{fill:#5b6470}
  text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:12.5px}
  .small{font-size:11px}.strong{font-weight:600}.over{fill:#b3261e;font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}
  .grid{stroke:#e9ecef}.axis{stroke:#9aa3ad}.bar{fill:#aeb6bf}.ship{fill:#0072b2}.spread{stroke:#1b1f24;stroke-opacity:.55;stroke-width:1.5}
  .bound{stroke:#b3261e;stroke-width:1.5}
  .line{fill:none;stroke-width:2.25;stroke-linejoin:round}.fit{fill:none;stroke-width:1.25;stroke-dasharray:4 4;opacity:.75}
  .s0{stroke:#0072b2}.s1{stroke:#c45a00}.s2{stroke:#00805f}.s3{stroke:#a5457d}.s4{stroke:#5b6470}
  .f0{fill:#0072b2}.f1{fill:#c45a00}.f2{fill:#00805f}.f3{fill:#a5457d}.f4{fill:#5b6470}
  @media(prefers-color-scheme:dark){
  .ground{fill:#14181d;stroke:#2b323a}.text,.title{fill:#e8ebee}.quiet{fill:#a0a9b3}.grid{stroke:#262d35}.axis{stroke:#6b7580}
  .bar{fill:#59636e}.ship{fill:#4aa8e0}.spread{stroke:#e8ebee}.over{fill:#ff8a80}.bound{stroke:#ff8a80}
  .s0{stroke:#4aa8e0}.s1{stroke:#f0a04b}.s2{stroke:#3cc79c}.s3{stroke:#e08cbc}.s4{stroke:#a0a9b3}
  .f0{fill:#4aa8e0}.f1{fill:#f0a04b}.f2{fill:#3cc79c}.f3{fill:#e08cbc}.f4{fill:#a0a9b3}}";

/// How many curves can be told apart in one plot.
pub(super) const COLOURS: usize = 5;
