//! The machine's memory: what the kernel says in `/proc/meminfo`, and in `/proc/pressure/memory` where it has that.

use std::io;

use crate::pressure::MemoryReading;

impl MemoryReading {
    /// What the kernel says now.
    pub fn of_machine() -> io::Result<Self> {
        let pressure = std::fs::read_to_string("/proc/pressure/memory").ok();
        let reading = read(&std::fs::read_to_string("/proc/meminfo")?, pressure.as_deref());
        reading.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/meminfo has not what it has elsewhere"))
    }
}

fn read(meminfo: &str, pressure: Option<&str>) -> Option<MemoryReading> {
    let bytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    };
    let stalled_percent = pressure.and_then(|text| {
        let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
        let average = some.split(' ').find_map(|field| field.strip_prefix("avg10="))?;
        average.split('.').next()?.parse().ok()
    });
    Some(MemoryReading { total_bytes: bytes("MemTotal")?, available_bytes: bytes("MemAvailable")?, stalled_percent })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's texts, with and without its account of who waited; this machine has some memory.
    #[test]
    fn readings() {
        let meminfo = "MemTotal:       16384 kB\nMemFree:          12 kB\nMemAvailable:    4096 kB\nBuffers: 1 kB\n";
        let pressure =
            "some avg10=12.51 avg60=1.00 avg300=0.00 total=7\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=7\n";
        let expected =
            |stalled_percent| Some(MemoryReading { total_bytes: 16 << 20, available_bytes: 4 << 20, stalled_percent });
        assert_eq!(read(meminfo, Some(pressure)), expected(Some(12)));
        assert_eq!(read(meminfo, None), expected(None));
        assert_eq!(read(meminfo, Some("")), expected(None));
        assert_eq!(read("MemTotal: 16384 kB\n", None), None);
        let here = MemoryReading::of_machine().unwrap();
        assert!(here.available_bytes > 0 && here.available_bytes <= here.total_bytes, "{here:?}");
    }
}
