package handler

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"strings"
	"time"
)

// Weather answers at /api/weather?city=Lisbon with today's weather there.
//
// Nothing is measured: a table of cities and a model of the seasons make it up, the same for everybody on the same day.
func Weather(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, problem{Code: "method_not_allowed", Message: "Ask with GET."})
		return
	}
	name := r.URL.Query().Get("city")
	if strings.TrimSpace(name) == "" {
		refuse(w, http.StatusBadRequest, problem{Code: "missing_city", Message: "Say which city: /api/weather?city=Lisbon"})
		return
	}
	place, found := find(name)
	if !found {
		refuse(w, http.StatusNotFound, problem{
			Code:    "unknown_city",
			Message: "That city is not in the table.",
			Cities:  names(),
		})
		return
	}
	answer(w, http.StatusOK, weatherOn(place, time.Now().UTC()))
}

// report is what a visitor gets. Temperatures are in degrees Celsius.
type report struct {
	City        string  `json:"city"`
	Country     string  `json:"country"`
	Date        string  `json:"date"`
	Condition   string  `json:"condition"`
	Summary     string  `json:"summary"`
	Temperature float64 `json:"temperature_c"`
	Low         float64 `json:"low_c"`
	High        float64 `json:"high_c"`
	Humidity    int     `json:"humidity_percent"`
	Wind        int     `json:"wind_kmh"`
}

// problem is what a visitor gets instead, under the key "error".
type problem struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Cities  []string `json:"cities,omitempty"`
}

func refuse(w http.ResponseWriter, status int, why problem) {
	answer(w, status, map[string]problem{"error": why})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here means that the visitor has gone: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// climate says what a year is like. Cloud runs from 0, never a cloud, to 1, never the sun.
type climate struct {
	summerCloud, winterCloud float64
	humidity                 float64 // per cent, on an ordinary day
	wind                     float64 // km/h, on an ordinary day
	swing                    float64 // degrees between the night and the afternoon
}

var (
	oceanic       = climate{summerCloud: 0.50, winterCloud: 0.66, humidity: 78, wind: 17, swing: 8}
	mediterranean = climate{summerCloud: 0.12, winterCloud: 0.50, humidity: 64, wind: 14, swing: 9}
	continental   = climate{summerCloud: 0.42, winterCloud: 0.58, humidity: 70, wind: 14, swing: 9}
	subtropical   = climate{summerCloud: 0.60, winterCloud: 0.34, humidity: 72, wind: 12, swing: 7}
	tropical      = climate{summerCloud: 0.64, winterCloud: 0.46, humidity: 80, wind: 10, swing: 7}
	desert        = climate{summerCloud: 0.06, winterCloud: 0.20, humidity: 34, wind: 13, swing: 13}
	highland      = climate{summerCloud: 0.60, winterCloud: 0.32, humidity: 66, wind: 9, swing: 11}
	subpolar      = climate{summerCloud: 0.58, winterCloud: 0.70, humidity: 80, wind: 22, swing: 5}
)

// city is one row of the table: where it lies, its mean temperature over the year, and how far the warmest and the
// coldest day stand from that mean.
type city struct {
	name, country string
	latitude      float64
	mean          float64
	amplitude     float64
	climate       climate
}

var cities = []city{
	{"Amsterdam", "Netherlands", 52.4, 10.6, 7.4, oceanic},
	{"Athens", "Greece", 38.0, 18.5, 9.6, mediterranean},
	{"Auckland", "New Zealand", -36.8, 15.4, 4.6, oceanic},
	{"Bangkok", "Thailand", 13.8, 28.6, 1.9, tropical},
	{"Barcelona", "Spain", 41.4, 16.5, 7.6, mediterranean},
	{"Berlin", "Germany", 52.5, 10.1, 9.6, continental},
	{"Bogotá", "Colombia", 4.7, 13.6, 0.6, highland},
	{"Buenos Aires", "Argentina", -34.6, 18.0, 6.9, subtropical},
	{"Cairo", "Egypt", 30.0, 22.1, 7.4, desert},
	{"Cape Town", "South Africa", -33.9, 17.0, 4.3, mediterranean},
	{"Chicago", "United States", 41.9, 10.9, 13.8, continental},
	{"Dubai", "United Arab Emirates", 25.2, 28.2, 8.3, desert},
	{"Dublin", "Ireland", 53.3, 9.9, 5.2, oceanic},
	{"Istanbul", "Türkiye", 41.0, 14.9, 9.0, mediterranean},
	{"Lisbon", "Portugal", 38.7, 17.4, 5.8, mediterranean},
	{"London", "United Kingdom", 51.5, 11.6, 6.8, oceanic},
	{"Melbourne", "Australia", -37.8, 15.6, 5.4, oceanic},
	{"Mexico City", "Mexico", 19.4, 16.7, 2.7, highland},
	{"Montréal", "Canada", 45.5, 7.1, 15.6, continental},
	{"Mumbai", "India", 19.1, 27.3, 2.6, tropical},
	{"Nairobi", "Kenya", -1.3, 18.9, 1.5, highland},
	{"New York", "United States", 40.7, 13.1, 12.2, continental},
	{"Oslo", "Norway", 59.9, 6.8, 11.0, continental},
	{"Paris", "France", 48.9, 12.3, 7.7, oceanic},
	{"Reykjavík", "Iceland", 64.1, 5.1, 5.8, subpolar},
	{"Rome", "Italy", 41.9, 15.9, 8.6, mediterranean},
	{"San Francisco", "United States", 37.8, 14.3, 3.2, mediterranean},
	{"Santiago", "Chile", -33.4, 14.6, 6.6, mediterranean},
	{"São Paulo", "Brazil", -23.6, 19.8, 3.2, subtropical},
	{"Singapore", "Singapore", 1.4, 27.8, 0.8, tropical},
	{"Sydney", "Australia", -33.9, 18.2, 5.3, subtropical},
	{"Tokyo", "Japan", 35.7, 16.0, 10.8, subtropical},
	{"Vancouver", "Canada", 49.3, 10.6, 7.0, oceanic},
	{"Zürich", "Switzerland", 47.4, 9.9, 9.4, continental},
}

func names() []string {
	all := make([]string, len(cities))
	for i, row := range cities {
		all[i] = row.name
	}
	return all
}

func find(name string) (city, bool) {
	wanted := plain(name)
	for _, row := range cities {
		if plain(row.name) == wanted {
			return row, true
		}
	}
	return city{}, false
}

var accents = strings.NewReplacer(
	"á", "a", "à", "a", "â", "a", "ã", "a", "ä", "a", "å", "a", "ç", "c", "é", "e", "è", "e", "ê", "e", "ë", "e",
	"í", "i", "î", "i", "ï", "i", "ı", "i", "ñ", "n", "ó", "o", "ô", "o", "õ", "o", "ö", "o", "ø", "o",
	"ú", "u", "û", "u", "ü", "u",
	// The same marks as characters of their own, which is how some keyboards send them.
	"\u0300", "", "\u0301", "", "\u0302", "", "\u0303", "", "\u0307", "", "\u0308", "", "\u030a", "", "\u0327", "",
)

// plain makes "  São  PAULO" and "sao paulo" the same name.
func plain(name string) string {
	return accents.Replace(strings.ToLower(strings.Join(strings.Fields(name), " ")))
}

// weatherOn is the whole model: the season sets the course, and a few slow waves, started differently for each city,
// move every day a little away from it.
func weatherOn(place city, moment time.Time) report {
	day := float64(moment.Unix()/86400) + phase(place.name)
	summer := season(place.latitude, moment.YearDay())

	mild := wave(day, 5.3, 13.7, 31.9)
	wet := wave(day+101, 3.1, 7.9, 17.3)
	airy := wave(day+211, 2.3, 6.1, 11.8)

	air := place.climate
	mean := place.mean + place.amplitude*summer + mild*(1+place.amplitude/4)
	cloud := between(air.winterCloud, air.summerCloud, (summer+1)/2) + 0.30*wet
	swing := air.swing * (1.25 - 0.6*clamp(cloud, 0, 1))
	wind := air.wind * (1 + 0.55*airy + 0.25*wet)
	humidity := clamp(air.humidity+20*wet-4*mild, 12, 98)
	condition, summary := sky(cloud, mean, wind, humidity)

	return report{
		City: place.name, Country: place.country, Date: moment.Format(time.DateOnly),
		Condition: condition, Summary: summary,
		Temperature: tenth(mean + swing/4), Low: tenth(mean - swing/2), High: tenth(mean + swing/2),
		Humidity: int(math.Round(humidity)), Wind: int(math.Round(math.Max(wind, 1))),
	}
}

// season runs from -1 in the depth of winter to 1 in high summer, which comes to the south half a year later.
func season(latitude float64, dayOfYear int) float64 {
	const warmestDay, year = 203, 365.25
	turn := math.Cos(2 * math.Pi * float64(dayOfYear-warmestDay) / year)
	return math.Copysign(1, latitude) * turn
}

// sky names what a visitor would see: a word for programs, and a few for people.
func sky(cloud, temperature, wind, humidity float64) (condition, summary string) {
	switch {
	case cloud > 0.62 && temperature < 0.5:
		return "snow", "Snow"
	case cloud > 0.86 && temperature > 19:
		return "storm", "Thunderstorms"
	case cloud > 0.82:
		return "rain", "Steady rain"
	case cloud > 0.66:
		return "rain", "Showers"
	case cloud > 0.40 && humidity > 84 && wind < 12:
		return "fog", "Fog"
	case cloud > 0.48:
		return "cloudy", "Overcast"
	case cloud > 0.26:
		return "partly-cloudy", "Sun and clouds"
	case temperature < 3:
		return "clear", "Cold and clear"
	default:
		return "clear", "Clear sky"
	}
}

// wave is a smooth value from -1 to 1: the sum of sines whose periods, in days, share no rhythm.
func wave(day float64, periods ...float64) float64 {
	sum := 0.0
	for _, period := range periods {
		sum += math.Sin(2 * math.Pi * day / period)
	}
	return sum / float64(len(periods))
}

// phase gives every city its own place on the waves, in days.
func phase(name string) float64 {
	digest := fnv.New32a()
	digest.Write([]byte(name))
	return float64(digest.Sum32() % 10_000)
}

func between(low, high, share float64) float64 { return low + (high-low)*share }

func clamp(value, low, high float64) float64 { return math.Min(math.Max(value, low), high) }

func tenth(value float64) float64 { return math.Round(value*10) / 10 }
