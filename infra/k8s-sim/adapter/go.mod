module plaza.example/k8s-sim/adapter

go 1.24.0
