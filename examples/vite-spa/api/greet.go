// Package handler greets.
package handler

import (
	"fmt"
	"net/http"
)

// Greet answers with a greeting for the name in the query.
func Greet(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if name == "" {
		name = "you"
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\"greeting\":%q}\n", "Hello, "+name)
}
