// Package handler holds the functions of this site: each file answers at its own path, this one at /api/date.
package handler

import (
	"fmt"
	"net/http"
	"time"
)

// Date answers with the present moment, in milliseconds since 1970: {"now":1767225600000}.
func Date(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		fmt.Fprintln(w, `{"error":{"code":"method_not_allowed","message":"Ask with GET."}}`)
		return
	}
	fmt.Fprintf(w, "{\"now\":%d}\n", time.Now().UnixMilli())
}
