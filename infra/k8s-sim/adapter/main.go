// The simulated cluster's custom.metrics.k8s.io: one metric of pods, from Prometheus, by the rule in k8s/data/prometheus-adapter.yaml. It stands for
// prometheus-adapter, which is four hundred packages and not on every module proxy; the API, the query and the autoscaler that asks are the real ones.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const groupVersion = "custom.metrics.k8s.io/v1beta1"

type object = map[string]any

var (
	listen     = flag.String("listen", "", "address:port")
	cert       = flag.String("cert", "", "certificate to serve with")
	key        = flag.String("key", "", "its key")
	clientCA   = flag.String("client-ca", "", "who must have signed the caller: the API server's front proxy")
	api        = flag.String("api", "", "the API server, by kubectl proxy")
	prometheus = flag.String("prometheus", "", "Prometheus")
	metric     = flag.String("metric", "", "the metric's name")
	query      = flag.String("query", "", "prometheus-adapter's metricsQuery")
	client     = http.Client{Timeout: 5 * time.Second}
)

func get(address string, into any) error {
	response, err := client.Get(address)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// The pods that a selector means: a series may outlive its pod.
func pods(namespace, selector string) (map[string]bool, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		} `json:"items"`
	}
	address := *api + "/api/v1/namespaces/" + url.PathEscape(namespace) + "/pods?labelSelector=" + url.QueryEscape(selector)
	if err := get(address, &list); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, pod := range list.Items {
		names[pod.Metadata.Name] = true
	}
	return names, nil
}

func values(namespace, selector string) ([]object, error) {
	meant, err := pods(namespace, selector)
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer("<<.Series>>", *metric, "<<.LabelMatchers>>", fmt.Sprintf("namespace=%q", namespace), "<<.GroupBy>>", "pod").Replace(*query)
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := get(*prometheus+"/api/v1/query?query="+url.QueryEscape(text), &answer); err != nil {
		return nil, err
	}
	items := []object{}
	for _, series := range answer.Data.Result {
		shown, _ := series.Value[1].(string)
		number, err := strconv.ParseFloat(shown, 64)
		if err != nil || !meant[series.Metric["pod"]] {
			continue
		}
		items = append(items, object{
			"describedObject": object{"kind": "Pod", "namespace": namespace, "name": series.Metric["pod"], "apiVersion": "/v1"},
			"metricName":      *metric,
			"timestamp":       time.Now().UTC().Format(time.RFC3339),
			"value":           fmt.Sprintf("%.0fm", number*1000),
		})
	}
	return items, nil
}

func answer(writer http.ResponseWriter, value any) {
	writer.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(writer).Encode(value); err != nil {
		log.Print(err)
	}
}

func main() {
	flag.Parse()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(writer, "alive") })
	mux.HandleFunc("GET /apis/"+groupVersion, func(writer http.ResponseWriter, _ *http.Request) {
		resource := object{"name": "pods/" + *metric, "singularName": "", "namespaced": true, "kind": "MetricValueList", "verbs": []string{"get"}}
		answer(writer, object{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": groupVersion, "resources": []object{resource}})
	})
	mux.HandleFunc("GET /apis/"+groupVersion+"/namespaces/{namespace}/pods/{pod}/"+*metric, func(writer http.ResponseWriter, request *http.Request) {
		items, err := values(request.PathValue("namespace"), request.URL.Query().Get("labelSelector"))
		if err != nil {
			log.Print(err)
			http.Error(writer, err.Error(), http.StatusServiceUnavailable)
			return
		}
		answer(writer, object{"kind": "MetricValueList", "apiVersion": groupVersion, "metadata": object{}, "items": items})
	})
	authority, err := os.ReadFile(*clientCA)
	if err != nil {
		log.Fatal(err)
	}
	callers := x509.NewCertPool()
	callers.AppendCertsFromPEM(authority)
	server := http.Server{Addr: *listen, Handler: mux, TLSConfig: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: callers}}
	log.Fatal(server.ListenAndServeTLS(*cert, *key))
}
