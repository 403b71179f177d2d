"""The web application: pages, REST interface and the services behind them."""
