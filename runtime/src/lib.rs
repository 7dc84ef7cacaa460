//! Function instances: start, invoke, scale, stop, and the capture of what they print.
