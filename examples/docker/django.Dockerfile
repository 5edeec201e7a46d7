FROM gobridge
COPY . .
# The folders are made here, as the image's user: new volumes take over whose they are.
RUN pip install -r requirements.txt && mkdir data static
CMD ["gobridge", "run", "mysite.wsgi:application"]
