//! A gate that a function waits at until the story opens it: how a request is kept in flight without a clock.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use crate::PATIENCE;

/// The source of a Go function that says `begun`, waits at the gate that its request names, and says `finished`. It has to be
/// allowed to reach this machine: `network = "all"`.
pub const GO_FUNCTION_AT_GATE: &str = r#"package handler

import (
	"fmt"
	"net"
	"net/http"
)

func Wait(w http.ResponseWriter, r *http.Request) {
	gate, err := net.Dial("tcp", r.URL.Query().Get("gate"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer gate.Close()
	fmt.Fprintln(w, "begun")
	w.(http.Flusher).Flush()
	fmt.Fprintln(gate, "arrived")
	gate.Read(make([]byte, 1))
	fmt.Fprintln(w, "finished")
}
"#;

/// A gate at an address of this machine.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    arrivals: Receiver<TcpStream>,
}

/// A function that waits at the gate. Dropping it breaks its connection, which it takes for an opening.
#[derive(Debug)]
pub struct Waiting(TcpStream);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (sender, arrivals) = channel();
        // The thread ends with the first arrival that nobody is there for, or with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { address, arrivals }
    }

    /// Where it stands.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The query that sends a function to this gate.
    pub fn query(&self) -> String {
        format!("gate={}", self.address)
    }

    /// Waits until a function stands at the gate.
    #[track_caller]
    pub fn wait_for_arrival(&self) -> Waiting {
        let mut stream = self.arrivals.recv_timeout(PATIENCE).expect("a function comes to the gate");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        let _ = stream.read(&mut [0; 16]).expect("the function says that it has arrived");
        Waiting(stream)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Waiting {
    /// Lets it go on.
    pub fn open(mut self) {
        // A function that was ended while it waited does not care.
        let _ = self.0.write_all(b"!");
    }

    /// Waits until the function is gone without having been let through.
    #[track_caller]
    pub fn wait_until_gone(mut self) {
        match self.0.read(&mut [0; 16]) {
            Ok(0) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            outcome => panic!("the function still waits at the gate: {outcome:?}"),
        }
    }
}
