// Package handler holds the functions of this site: each file below api/ answers at its own path.
package handler

import (
	"encoding/json"
	"net/http"
)

// Greet answers with a greeting for ?name=.
func Greet(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if name == "" {
		name = "you"
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"greeting": "Hello " + name + ", from Go"})
}
