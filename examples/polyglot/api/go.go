// Package handler holds this site's function in Go.
package handler

import (
	"encoding/json"
	"net/http"
	"runtime"
)

// Count answers how often each letter of ?word= occurs.
func Count(w http.ResponseWriter, r *http.Request) {
	letters := map[string]int{}
	for _, letter := range r.URL.Query().Get("word") {
		letters[string(letter)]++
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"language": "Go",
		"version":  runtime.Version(),
		"answer":   letters,
	})
}
